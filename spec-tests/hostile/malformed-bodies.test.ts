import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Route } from '../../src/http/route.js'
import { allRoutes } from '../../src/server.js'
import { HAND_CHECKED } from './bodies.js'
import { raw, shapeOf, takesJson, wrongFor, type RawAnswer } from './routes.js'
import { faults, is, startWorld, type World } from './world.js'

// Every route several times.
jest.setTimeout(180_000)

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const jsonRoutes = allRoutes.filter(takesJson)

const ENDS_SESSION: ReadonlySet<string> = new Set(['logout', 'logout_all'])

describe('a body', () => {
  const notJson = ['{"a":', 'x', '{"a":1}x', '{"a":"\\ud800"}', "{'a':1}", '{"a":01}', '\uFEFF{}', '{"a":1,}']
  it.each(notJson)('%j is not JSON', async (body) => {
    const found = await faults(jsonRoutes, async (route) => {
      const answer = await world.send(route, { body })
      return [['', answer, is(answer, 400, 'M_NOT_JSON')]]
    })
    expect(found).toEqual([])
  })

  it.each(['[]', '"x"', '1', 'null', 'true'])('%s is no object', async (body) => {
    const objects = jsonRoutes.filter((route) => route.body !== 'json' && route.auth !== 'server')
    const found = await faults(objects, async (route) => {
      const answer = await world.send(route, { body })
      return [['', answer, is(answer, 400, 'M_BAD_JSON')]]
    })
    expect(found).toEqual([])
  })

  it('of the right types is not refused for its types', async () => {
    const found = await faults(jsonRoutes, async (route) => {
      if (ENDS_SESSION.has(route.id)) return []
      const answer = await world.send(route)
      const good =
        answer.status < 500 && !['M_BAD_JSON', 'M_NOT_JSON', 'M_MISSING_PARAM'].includes(answer.errcode ?? '')
      return [['', answer, good]]
    })
    expect(found).toEqual([])
  })

  it('with a member of a wrong type is refused for it', async () => {
    const declared = (route: Route): readonly (readonly [string, readonly unknown[]])[] =>
      typeof route.body === 'object'
        ? Object.entries(shapeOf(route.body).properties ?? {}).map(([name, shape]) => [name, wrongFor(shape)])
        : Object.entries(HAND_CHECKED[route.id] ?? {}).map(([name, type]) => [
            name,
            wrongFor(typeof type === 'string' ? { type } : { anyOf: type.map((one) => ({ type: one })) }),
          ])
    let tried = 0
    const found = await faults(jsonRoutes, async (route) => {
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const [name, wrong] of declared(route)) {
        for (const item of wrong) {
          const answer = await world.send(route, { body: { ...world.bodyFor(route), [name]: item } })
          tried++
          answers.push([
            `${name}=${JSON.stringify(item)}`,
            answer,
            is(answer, 400, 'M_BAD_JSON', 'M_INVALID_PARAM', ...(item === null ? ['M_MISSING_PARAM'] : [])),
          ])
        }
      }
      return answers
    })
    expect(found).toEqual([])
    expect(tried).toBeGreaterThan(500)
  })

  it('that no schema describes is of an event, free, or in the table of those checked by hand', () => {
    const unknown = jsonRoutes.filter(
      ({ id, body }) => typeof body === 'string' && HAND_CHECKED[id] === undefined,
    )
    expect(unknown.map(({ id }) => id)).toEqual([])
  })

  it('lacking a member that it needs is refused for it', async () => {
    const found = await faults(jsonRoutes, async (route) => {
      if (typeof route.body !== 'object') return []
      const answers: (readonly [string, RawAnswer, boolean])[] = []
      for (const name of shapeOf(route.body).required ?? []) {
        const body = Object.fromEntries(Object.entries(world.bodyFor(route)).filter(([key]) => key !== name))
        const answer = await world.send(route, { body })
        answers.push([name, answer, is(answer, 400, 'M_MISSING_PARAM', 'M_BAD_JSON')])
      }
      return answers
    })
    expect(found).toEqual([])
  })

  it('that says it is too large is refused before it comes', async () => {
    const bodies = allRoutes.filter(({ body }) => body !== undefined)
    const found = await faults(bodies, async (route) => {
      const headers = { ...world.credentials(route, world.target(route), {}), 'content-length': '9999999999', connection: 'close' } // prettier-ignore
      const answer = await raw(world.node.url, route.method, world.target(route), { headers })
      return [['', answer, is(answer, 413, 'M_TOO_LARGE')]]
    })
    expect(found).toEqual([])
  })

  it('that becomes too large on the way is cut off', async () => {
    const filler = Buffer.alloc(64 * 1024, 'x')
    const found = await faults(jsonRoutes, async (route) => {
      const size = route.maxBody ?? 1024 * 1024
      const body = [
        Buffer.from('{"a":"'),
        ...Array.from({ length: Math.ceil(size / filler.length) + 1 }, () => filler),
      ]
      const uri = world.target(route)
      const answer = await raw(world.node.url, route.method, uri, {
        headers: world.credentials(route, uri, {}),
        body,
      })
      return [['', answer, is(answer, 413, 'M_TOO_LARGE')]]
    })
    expect(found).toEqual([])
  })

  it('with a NUL character in any of its texts does no harm', async () => {
    const texts = (route: Route): string[] =>
      typeof route.body === 'object'
        ? Object.entries(shapeOf(route.body).properties ?? {})
            .filter(([, shape]) => wrongFor(shape).length === 0 || !wrongFor(shape).includes('x'))
            .map(([name]) => name)
        : Object.entries(HAND_CHECKED[route.id] ?? {}).flatMap(([name, type]) =>
            type.includes('string') ? [name] : [],
          )
    let tried = 0
    const found = await faults(
      jsonRoutes.filter(({ body }) => body !== 'json'),
      async (route) => {
        const answers: (readonly [string, RawAnswer, boolean])[] = []
        for (const name of texts(route)) {
          const answer = await world.send(route, { body: { ...world.bodyFor(route), [name]: 'a\u0000b' } })
          tried++
          answers.push([name, answer, answer.status < 500])
        }
        return answers
      },
    )
    expect(found).toEqual([])
    expect(tried).toBeGreaterThan(80)
  })
})

it('the log tells of no request that failed for a fault of the node', async () => {
  expect(await world.failures()).toEqual([])
})
