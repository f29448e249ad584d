import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Route } from '../../src/http/route.js'
import { allRoutes } from '../../src/server.js'
import { v3 } from '../harness/client.js'
import { raw, serves, type RawAnswer } from './routes.js'
import { faults, is, startWorld, type World } from './world.js'

// Every route several times.
jest.setTimeout(180_000)

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

describe('a path', () => {
  /** Every path of every route, filled in. */
  const paths = (): (readonly [Route, string])[] =>
    allRoutes.flatMap((route) =>
      route.paths.map((path) => [route, world.target(route, path).split('?')[0]!] as const),
    )

  it('with another method is refused with what it takes', async () => {
    const found = await faults(allRoutes, async (route) => {
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const [owner, path] of paths().filter(([one]) => one === route)) {
        const taken = new Set(
          allRoutes.filter((one) => one === owner || serves(one, path)).map(({ method }) => method),
        )
        for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']) {
          if (taken.has(method as Route['method'])) continue
          const answer = await raw(world.node.url, method, path)
          const allowed = new Set(answer.headers.allow?.split(', '))
          const good =
            is(answer, 405, 'M_UNRECOGNIZED') &&
            answer.headers['access-control-allow-methods'] !== undefined &&
            [...taken].every((one) => allowed.has(one)) &&
            !allowed.has(method)
          answers.push([`${method} ${path}`, answer, good])
        }
        const options = await raw(world.node.url, 'OPTIONS', path)
        const cors = options.headers['access-control-allow-origin'] === '*' && options.text === ''
        answers.push([`OPTIONS ${path}`, options, [200, 204].includes(options.status) && cors])
      }
      return answers
    })
    expect(found).toEqual([])
  })

  it('that nobody serves is unrecognised', async () => {
    const found = await faults(allRoutes, async (route) => {
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const [, path] of paths().filter(([one]) => one === route)) {
        for (const unknown of [
          `${path}/nonsense/further`,
          path.replace(/\/(?:v\d|r0|unstable)\//, '/v9/'),
          `/x${path}`,
        ]) {
          if (allRoutes.some((one) => serves(one, unknown))) continue
          const answer = await raw(world.node.url, route.method, unknown)
          answers.push([unknown, answer, is(answer, 404, 'M_UNRECOGNIZED')])
        }
      }
      return answers
    })
    expect(found).toEqual([])
  })

  const HOSTILE = ['\u0000', '../../etc/passwd', 'x'.repeat(3_000), '__proto__', '!', '@a', '#', '$', '@a:b:99999999', '!x:[::1', "';--", '<script>', 'é😀\n'] // prettier-ignore
  const IDS = ['roomId', 'roomIdOrAlias', 'userId', 'eventId', 'roomAlias', 'serverName', 'mediaId']
  /** What a malformed id is told; not that something else is wrong with the request. */
  const TOLD = ['M_INVALID_PARAM', 'M_NOT_FOUND', 'M_FORBIDDEN', 'M_UNKNOWN']

  /** The user's own keys are filed under whatever the user calls the room: a name is bounded, and need not be a room. */
  const OWN_KEYS = new Set(
    ['putRoomKeysByRoomId', 'getRoomKeysByRoomId', 'deleteRoomKeysByRoomId', 'putRoomKeyBySessionId', 'getRoomKeyBySessionId', 'deleteRoomKeyBySessionId'],
  ) // prettier-ignore

  const QUARANTINE = new Set(['adminQuarantineMedium', 'adminUnquarantineMedium'])

  it.each(HOSTILE)('with %j in the place of an id is refused for it', async (id) => {
    const found = await faults(allRoutes, async (route) => {
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const name of IDS.filter((one) => route.paths[0]!.includes(`{${one}}`))) {
        const path = world.target(route, undefined, { [name]: id })
        const answer = await world.send(route, { path })
        // No id that a medium cannot have: it may be kept from coming before it is here.
        const isMediaId = name === 'mediaId' && id === '__proto__' && QUARANTINE.has(route.id)
        const good =
          OWN_KEYS.has(route.id) || isMediaId
            ? answer.status < 500
            : answer.status >= 400 && answer.status < 500 && TOLD.includes(answer.errcode ?? '')
        answers.push([name, answer, good])
      }
      return answers
    })
    expect(found).toEqual([])
  })
})

it('the log tells of no request that failed for a fault of the node', async () => {
  expect(await world.failures()).toEqual([])
})

it('the node is healthy afterwards', async () => {
  expect((await raw(world.node.url, 'GET', '/health')).status).toBe(200)
  expect((await world.user.ok('GET', v3('/account/whoami'))).user_id).toBe(world.user.userId)
})
