import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { allRoutes } from '../../src/server.js'
import { createRoom, register, sendText, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { raw as rawTo, type RawAnswer } from './routes.js'

let node: Node
let user: User
let values: Record<string, string>
beforeAll(async () => {
  node = await startNode()
  user = await register(node.url)
  const roomId = await createRoom(user)
  values = {
    roomId,
    roomIdOrAlias: roomId,
    eventId: await sendText(user, roomId, 'x'),
    userId: user.userId,
    deviceId: user.deviceId,
    eventType: 'm.room.message',
    relType: 'm.thread',
    type: 'm.some.type',
    txnId: 'txn',
    stateKey: '',
    roomAlias: '#nothing:localhost',
    receiptType: 'm.read',
    serverName: 'localhost',
    mediaId: 'abcdef',
    caseId: '1',
    filterId: '1',
    keyName: 'displayname',
    sessionId: 'session',
    version: '1',
    tag: 'u.tag',
    kind: 'override',
    ruleId: '.m.rule.master',
  }
})
afterAll(() => node.dispose())

/** As the user. */
const raw = (
  method: string,
  path: string,
  body?: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<RawAnswer> =>
  rawTo(node.url, method, path, { body, headers: { authorization: `Bearer ${user.token}`, ...headers } })

const fill = (path: string, replace: (name: string) => string): string =>
  path.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) => encodeURIComponent(replace(name)))

/** What ends sessions would end the test. */
const ENDS_SESSIONS = new Set([
  'logout_all',

  'logout',
  'logoutAll',
  'deactivateAccount',
  'deleteDevice',
  'deleteDevices',
  'changePassword',
])
const routes = allRoutes
  .filter((route) => !ENDS_SESSIONS.has(route.id))
  .map((route) => ({
    id: route.id,
    method: route.method,
    path: route.paths[0]!,
    takesBody: route.body !== undefined && route.body !== 'stream',
  }))

/** `M_UNKNOWN` with a 500 is a fault of ours; all else must carry an errcode. */
function check(what: string, { status, text: body }: RawAnswer): string[] {
  if (status >= 500 && status !== 502 && status !== 504) return [`${what}: ${status} ${body.slice(0, 200)}`]
  if (status >= 400 && !body.includes('"errcode"') && !body.includes('"flows"') && !body.includes('<')) {
    return [`${what}: ${status} without an errcode: ${body.slice(0, 200)}`]
  }
  return []
}

const BODIES: readonly (readonly [string, string | Uint8Array])[] = [
  ['not JSON', '{"a":'],
  ['not UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
  ['a byte order mark', '\uFEFF{}'],
  ['a list', '[]'],
  ['null', 'null'],
  ['a string', '"x"'],
  ['a duplicate key', '{"a":1,"a":2}'],
  ['a lone surrogate', '{"a":"\\ud800"}'],
  ['deep nesting', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
  ['deep lists', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ['prototype keys', '{"__proto__":{"isAdmin":true},"constructor":1,"toString":null,"hasOwnProperty":[]}'],
]

/** Every member that some endpoint reads, with a value of the wrong kind. */
const NAMES = [
  'auth', 'type', 'username', 'user', 'password', 'identifier', 'token', 'refresh_token', 'device_id', 'devices', 'user_id',
  'reason', 'membership', 'visibility', 'preset', 'invite', 'initial_state', 'creation_content', 'power_level_content_override',
  'room_version', 'name', 'topic', 'room_alias_name', 'is_direct', 'device_keys', 'one_time_keys', 'fallback_keys', 'messages',
  'master_key', 'self_signing_key', 'user_signing_key', 'algorithm', 'auth_data', 'rooms', 'sessions', 'first_message_index',
  'forwarded_count', 'is_verified', 'session_data', 'typing', 'timeout', 'search_term', 'limit', 'filter', 'room', 'event_format',
  'displayname', 'avatar_url', 'content', 'event_id', 'm.read', 'm.fully_read', 'thread_id', 'display_name', 'locked', 'suspended',
  'tags', 'order', 'redacts', 'users', 'ban', 'allow', 'deny', 'via', 'new_password', 'edus', 'pdus', 'server_keys', 'since',
] // prettier-ignore
const WRONG: readonly string[] = ['null', '[]', '{}', '-1', '1.5', '1e400', '9007199254740993', 'true', '""', '"\\u0000"', `"${'x'.repeat(70_000)}"`, '[null]', '[[[]]]', '{"a":{"b":[1.5,null]}}'] // prettier-ignore

describe('every route', () => {
  it('is in this test', () => {
    expect(routes.length).toBeGreaterThan(100)
  })

  it.each(BODIES)(
    'answers a body with %s with an error of the specification or ignores it, never a 500',
    async (what, body) => {
      const faults: string[] = []
      for (const route of routes.filter((candidate) => candidate.takesBody)) {
        const path = fill(route.path, (name) => values[name] ?? 'x')
        faults.push(...check(`${route.id} ${what}`, await raw(route.method, path, body)))
      }
      expect(faults).toEqual([])
    },
  )

  it.each(WRONG)(
    'answers members of the wrong kind (%.30s) with an error of the specification',
    async (wrong) => {
      const body = `{${NAMES.map((name) => `"${name}":${wrong}`).join(',')}}`
      const faults: string[] = []
      for (const route of routes.filter((candidate) => candidate.takesBody)) {
        const path = fill(route.path, (name) => values[name] ?? 'x')
        faults.push(...check(`${route.id} ${wrong.slice(0, 20)}`, await raw(route.method, path, body)))
      }
      expect(faults).toEqual([])
    },
  )

  it.each([
    '',
    '\u0000',
    '../../etc/passwd',
    '%',
    'x'.repeat(3_000),
    '__proto__',
    '!a',
    '@a',
    '#',
    '$',
    'é😀',
    '@a:b:99999999',
    '!x:[::1',
    'a/b',
    "';--",
    '<script>',
  ])('answers %j in place of an id with an error of the specification', async (id) => {
    const faults: string[] = []
    for (const route of routes.filter((candidate) => candidate.path.includes('{'))) {
      const path = fill(route.path, () => id)
      const body = route.takesBody ? '{}' : undefined
      faults.push(
        ...check(`${route.id} with ${JSON.stringify(id).slice(0, 30)}`, await raw(route.method, path, body)),
      )
    }
    expect(faults).toEqual([])
  })

  it.each([
    'limit=-1',
    'limit=abc',
    'limit=99999999999999999999',
    'from=%00',
    'since=x',
    'timeout=1e9&since=',
    'dir=sideways',
    'filter={',
    'filter=[]',
    'filter=99',
    'at=x',
    'width=-1&height=0',
    'access_token=nonsense',
    'user_id=@other:localhost',
    'ts=-5',
    'via=a&via=b&via=%ff',
    'full_state=maybe',
    'membership=nope',
  ])('answers the query %s with an error of the specification, or ignores it', async (query) => {
    const faults: string[] = []
    for (const route of routes) {
      const path = `${fill(route.path, (name) => values[name] ?? 'x')}?${query}`
      faults.push(
        ...check(`${route.id} ?${query}`, await raw(route.method, path, route.takesBody ? '{}' : undefined)),
      )
    }
    expect(faults).toEqual([])
  })

  it('refuses a body that is too large while it is still coming', async () => {
    const faults: string[] = []
    for (const route of routes.filter((candidate) => candidate.takesBody)) {
      const path = fill(route.path, (name) => values[name] ?? 'x')
      const declared = await raw(route.method, path, undefined, {
        'content-length': '999999999',
        connection: 'close',
      }).catch((error: Error) => error)
      if (declared instanceof Error) faults.push(`${route.id}: ${declared.message}`)
      else if (declared.status !== 413 && declared.status < 400)
        faults.push(`${route.id}: ${declared.status}`)
    }
    expect(faults).toEqual([])
  })

  it('leaves the node healthy', async () => {
    expect((await raw('GET', '/health')).status).toBe(200)
    expect((await user.ok('GET', '/_matrix/client/v3/account/whoami')).user_id).toBe(user.userId)
  })
})
