import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { asNode } from '../../src/config/fields.js'
import { ConfigSchema } from '../../src/config/schema.js'
import { operatorRoutes } from '../../src/http/operator/routes.js'
import { allRoutes } from '../../src/server.js'
import { createRoom, register, v3, type Answer, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

/** Why these have none. */
const WITHOUT_BUDGET: ReadonlyMap<string, string> = new Map([
  ['getVersions', 'a constant; clients and monitors ask for it before anything else'],
  ['getHealth', 'a load balancer must never be refused; the store is asked once a second at most'],
  ['getMetrics', 'asked for by a monitor, on a private listener'],
  ['getWellknown', 'a constant; everybody of a ministry asks from one address'],
  ['getWellKnown', 'a constant that other servers keep'],
  ['getWellknownSupport', 'a constant'],
  ['getWellknownPolicy', 'a constant'],
  ['sendTransaction', 'what may wait is bounded, and a refusal makes the sender pause with everything'],
])

const budgets = Object.entries(asNode(ConfigSchema).properties!['rate_limits']!.properties!)
  .filter(([name]) => name !== 'enabled')
  .map(([name]) => name)

describe('every route', () => {
  it('has a budget, or stands in the list of those that need none', () => {
    const without = allRoutes.filter((route) => route.rateLimit === undefined).map((route) => route.id)
    expect(without.filter((id) => !WITHOUT_BUDGET.has(id))).toEqual([])
  })

  it('of that list is there, and has none', () => {
    const without = new Set(allRoutes.filter((route) => route.rateLimit === undefined).map(({ id }) => id))
    expect([...WITHOUT_BUDGET.keys()].filter((id) => !without.has(id))).toEqual([])
  })

  it('of the operator is not on the network, and so needs none: who opens the socket may do everything anyway', () => {
    const onNetwork = new Set(allRoutes.flatMap(({ paths }) => paths))
    expect(operatorRoutes.length).toBeGreaterThan(0)
    for (const { id, paths, rateLimit } of operatorRoutes) {
      expect([id, rateLimit]).toEqual([id, undefined])
      for (const path of paths) {
        expect(path).toMatch(/^\/operator\//)
        expect(onNetwork.has(path)).toBe(false)
      }
    }
    expect([...onNetwork].filter((path) => path.startsWith('/operator'))).toEqual([])
  })

  it('draws on a budget that can be set, and every budget has routes', () => {
    const used = new Set(allRoutes.flatMap(({ rateLimit }) => rateLimit ?? []))
    expect([...used].toSorted()).toEqual(budgets.toSorted())
  })
})

describe('the budgets of a node as it comes', () => {
  let node: Node
  let user: User
  beforeAll(async () => {
    node = await startNode({ config: { rate_limits: { enabled: true } } })
    user = await register(node.url)
  })
  afterAll(() => node.dispose())

  it('let the burst of a client that starts pass', async () => {
    const room = encodeURIComponent(await createRoom(user))
    const me = encodeURIComponent(user.userId)
    const start = [
      ...Array.from({ length: 40 }, () => user.call('GET', v3(`/rooms/${room}/messages?dir=b&limit=20`))),
      ...Array.from({ length: 40 }, () => user.call('GET', v3(`/rooms/${room}/members`))),
      ...Array.from({ length: 60 }, () => user.call('GET', v3(`/profile/${me}`))),
      ...Array.from({ length: 40 }, (_, i) =>
        user.call('PUT', v3(`/user/${me}/account_data/org.example.start${i}`), { body: { on: true } }),
      ),
      ...Array.from({ length: 30 }, () => user.call('GET', v3('/pushrules/'))),
      ...Array.from({ length: 30 }, () => user.call('POST', v3(`/rooms/${room}/read_markers`), { body: {} })),
      ...Array.from({ length: 20 }, () => user.call('GET', v3('/sync'))),
      ...Array.from({ length: 20 }, () =>
        user.call('POST', v3('/keys/query'), { body: { device_keys: { [user.userId]: [] } } }),
      ),
    ]
    const refused = (await Promise.all(start)).filter(({ status }) => status === 429)
    expect(refused).toEqual([])
  })
})

describe('a budget that is spent', () => {
  let node: Node
  let user: User
  let other: User
  beforeAll(async () => {
    const tight = { per_second: 0.01, burst: 3 }
    const limited = ['membership', 'activity', 'write', 'read', 'sync', 'login']
    node = await startNode({
      config: { rate_limits: { enabled: true, ...Object.fromEntries(limited.map((name) => [name, tight])) } },
    })
    user = await register(node.url)
    other = await register(node.url)
  })
  afterAll(() => node.dispose())

  const path = encodeURIComponent('!x:localhost')
  const calls: readonly (readonly [string, (who: User) => Promise<Answer>])[] = [
    [
      'membership',
      (who) => who.call('POST', v3(`/rooms/${path}/kick`), { body: { user_id: '@a:localhost' } }),
    ],
    ['activity', (who) => who.call('POST', v3(`/rooms/${path}/receipt/m.read/$x`), { body: {} })],
    ['write', (who) => who.call('POST', v3('/logout/all'), { body: 'not JSON' })],
    ['read', (who) => who.call('GET', v3('/account/whoami'))],
    ['sync', (who) => who.call('GET', v3('/sync'))],
    ['login', (who) => who.call('POST', v3('/account/password'), { body: 'not JSON' })],
  ]

  it.each(calls)('%s: answers 429 with the time to wait, to that user alone', async (_name, send) => {
    for (let i = 0; i < 3; i++) expect((await send(user)).status).not.toBe(429)
    const { status, body, headers } = await send(user)
    expect({ status, errcode: body.errcode }).toEqual({ status: 429, errcode: 'M_LIMIT_EXCEEDED' })
    expect(body.retry_after_ms).toBeGreaterThan(1_000)
    expect(Number(headers.get('retry-after'))).toBe(Math.ceil(body.retry_after_ms / 1000))
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect((await send(other)).status).not.toBe(429)
  })
})
