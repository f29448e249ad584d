import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { parseRegistration } from '../../core/appservice/registration.js'
import { manualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { createConnections } from '../federation/connections.js'
import { createOutboundHttp } from '../federation/outbound-http.js'
import { createAppserviceClient, type AppserviceClient } from './client.js'
import { createAppserviceQueries, type AppserviceQueries } from './queries.js'
import { createAppserviceRegistry, type Appservice } from './registry.js'
import { startAppservice, type TestAppservice } from './testing-appservice.js'

let as: TestAppservice
let connections: ReturnType<typeof createConnections>
let client: AppserviceClient
let queries: AppserviceQueries
let appservice: Appservice
const clock = manualClock()

beforeEach(async () => {
  as = await startAppservice()
  const parsed = parseRegistration(
    {
      id: 'irc',
      url: `${as.url}/base`,
      as_token: 'as',
      hs_token: 'hs+secret',
      sender_localpart: 'bot',
      protocols: ['irc'],
      namespaces: { users: [{ exclusive: true, regex: '@irc_.*' }] },
    },
    'ours.example',
  )
  if (!parsed.ok) throw new Error('bad registration')
  connections = createConnections({ policy: { allows: () => true } })
  const http = createOutboundHttp({ connections, userAgent: 'test', now: () => clock.monotonic() })
  client = createAppserviceClient({ http, clock })
  const registry = createAppserviceRegistry({
    registrations: [parsed.registration],
    serverName: 'ours.example',
    clock,
    logger: silentLogger,
  })
  appservice = registry.all[0]!
  queries = createAppserviceQueries({ registry, client, logger: silentLogger })
})
afterEach(async () => {
  await as.close()
  await connections.close()
})

const put = (id: string): Promise<number> =>
  client
    .ask(appservice, {
      method: 'PUT',
      path: `/transactions/${id}`,
      legacyPath: `/transactions/${id}`,
      body: '{}',
      timeoutMs: 10_000,
    })
    .then(({ status }) => status)

describe('calls of an application service', () => {
  it('go to the path under its address, with its token in the header', async () => {
    expect(await put('1')).toBe(200)
    expect(as.got).toMatchObject([
      { method: 'PUT', path: '/base/_matrix/app/v1/transactions/1', authorization: 'Bearer hs+secret' },
    ])
    expect(as.got[0]!.query.size).toBe(0)
  })

  it('go to the path of old where the newer one is not known, for an hour', async () => {
    as.answer(({ path }) => (path.includes('/_matrix/app/v1/') ? { status: 404, body: {} } : undefined))
    expect([await put('1'), await put('2')]).toEqual([200, 200])
    clock.advance(3_600_001)
    expect(await put('3')).toBe(200)
    expect(as.got.map(({ path }) => path.replace('/_matrix/app/v1', '/v1'))).toEqual([
      '/base/v1/transactions/1',
      '/base/transactions/1',
      '/base/transactions/2',
      '/base/v1/transactions/3',
      '/base/transactions/3',
    ])
    expect(as.got[1]!.query.get('access_token')).toBe('hs+secret')
  })

  it('are not repeated elsewhere where the application service refuses', async () => {
    as.answer(() => ({ status: 403, body: { errcode: 'M_FORBIDDEN' } }))
    expect(await put('1')).toBe(403)
    expect(as.got).toHaveLength(1)
  })
})

describe('questions', () => {
  it('asked by many at once are asked once', async () => {
    as.answer(() => ({ status: 200 }))
    const user = '@irc_bob:ours.example'
    expect(await Promise.all(Array.from({ length: 20 }, () => queries.makeUser(user)))).toEqual(
      Array(20).fill(true),
    )
    expect(as.got).toHaveLength(1)
    expect(as.got[0]!.path).toBe(`/base/_matrix/app/v1/users/${encodeURIComponent(user)}`)
  })

  it('have no answer where the application service fails, is no JSON, or is gone', async () => {
    const user = '@irc_bob:ours.example'
    for (const answer of [{ status: 500 }, { status: 404 }, 'break'] as const) {
      as.answer(() => answer)
      expect(await queries.makeUser(user)).toBe(false)
    }
    as.answer(() => ({ status: 200, body: { user_fields: 7 } }))
    await expect(queries.protocol('irc')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    expect(await queries.protocols()).toEqual({})
  })

  it('are not asked of users and aliases that are not its own', async () => {
    expect(await queries.makeUser('@alice:ours.example')).toBe(false)
    expect(await queries.makeUser('@irc_bob:elsewhere.example')).toBe(false)
    expect(await queries.makeAlias('#irc_tea:ours.example')).toBe(false)
    expect(as.got).toEqual([])
  })
})
