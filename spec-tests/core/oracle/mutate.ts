import { contentHash } from '../../../src/core/event/hash.js'
import { NotCanonical } from '../../../src/core/json/canonical.js'
import { isObject, RawNumber, type Json, type JsonObject } from '../../../src/core/json/value.js'
import type { RoomVersionRules } from '../../../src/core/room-version/rules.js'
import { USERS } from './cast.js'
import type { Dice } from './random.js'

type Mutation = (pdu: JsonObject, dice: Dice, rules: RoomVersionRules) => JsonObject

const FIELDS = [
  'type', 'sender', 'room_id', 'state_key', 'content', 'depth', 'origin_server_ts', 'prev_events', 'auth_events',
  'hashes', 'signatures', 'event_id',
] as const // prettier-ignore

const WRONG: readonly Json[] = [
  null,
  true,
  5,
  '',
  'x',
  [],
  {},
  [null],
  [5],
  ['x'],
  [['x']],
  { sha256: 5 },
  -1,
]

const NUMBERS: readonly Json[] = [
  0,
  -1,
  9_007_199_254_740_991,
  -9_007_199_254_740_991,
  new RawNumber('9007199254740992'),
  new RawNumber('-9007199254740992'),
  new RawNumber('9223372036854775807'),
  new RawNumber('9223372036854775808'),
  new RawNumber('1.0'),
  new RawNumber('1.5'),
  new RawNumber('1e3'),
  new RawNumber('1E-7'),
  new RawNumber('123456789012345680000.0'),
  new RawNumber('1e22'),
  new RawNumber('-0'),
  new RawNumber('-0.0'),
  new RawNumber('100000000000000000000000000'),
]

/** What the redaction rules of some room version single out, and what they do not. */
const CONTENT_OF: Readonly<Record<string, readonly string[]>> = {
  'm.room.member': ['membership', 'join_authorised_via_users_server', 'third_party_invite', 'displayname'],
  'm.room.create': ['creator', 'room_version', 'm.federate', 'additional_creators', 'predecessor', 'type'],
  'm.room.join_rules': ['join_rule', 'allow', 'x'],
  'm.room.power_levels': [
    'ban', 'events', 'events_default', 'invite', 'kick', 'notifications', 'redact', 'state_default', 'users',
    'users_default',
  ],
  'm.room.history_visibility': ['history_visibility', 'x'],
  'm.room.aliases': ['aliases', 'x'],
  'm.room.redaction': ['redacts', 'reason'],
  'm.room.name': ['name'],
} // prettier-ignore

/** An event whose content has much that a redaction may keep or not. */
const rich: Mutation = (pdu, dice) => {
  const type = dice.pick(Object.keys(CONTENT_OF))
  const content: Record<string, Json> = {}
  for (const key of CONTENT_OF[type]!) {
    if (dice.chance(0.75)) content[key] = dice.pick<Json>([0, 'x', { a: 1 }, ['y'], null, false])
  }
  if (dice.chance(0.5)) {
    content['third_party_invite'] = dice.pick<Json>([
      { display_name: 'x', signed: { mxid: USERS[1], token: 't', signatures: {} }, other: 1 },
      { display_name: 'x' },
      {},
      { signed: null },
    ])
  }
  const extra: Record<string, Json> = {}
  for (const key of [
    'origin',
    'membership',
    'prev_state',
    'redacts',
    'age_ts',
    'outlier',
    'destinations',
    'x',
  ]) {
    if (dice.chance(0.15)) extra[key] = dice.pick<Json>(['x', [], 5, null])
  }
  return { ...pdu, type, state_key: dice.pick(['', USERS[1], 'x']), content, ...extra }
}

const inContent = (pdu: JsonObject, value: Json): JsonObject => ({
  ...pdu,
  content: { ...(isObject(pdu['content']) ? pdu['content'] : {}), nested: { list: [value] } },
})

function nested(depth: number): Json {
  let value: Json = 1
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { x: value }
  return value
}

const without = (pdu: JsonObject, field: string): JsonObject => {
  const { [field]: _, ...rest } = pdu
  return rest
}

const references = (pdu: JsonObject, field: string, count: number): JsonObject => {
  const some = [pdu['prev_events'], pdu['auth_events']].flatMap((list) => (Array.isArray(list) ? (list as Json[]) : []))
  if (some.length === 0) return pdu
  return { ...pdu, [field]: Array.from({ length: count }, (_, i) => some[i % some.length]!) }
} // prettier-ignore

const MUTATIONS: readonly (readonly [number, Mutation])[] = [
  [10, rich],
  [3, (pdu, dice) => without(pdu, dice.pick(FIELDS))],
  [5, (pdu, dice) => ({ ...pdu, [dice.pick(FIELDS)]: dice.pick(WRONG) })],
  [3, (pdu, dice) => ({ ...pdu, [dice.pick(['depth', 'origin_server_ts'])]: dice.pick(NUMBERS) })],
  [5, (pdu, dice) => inContent(pdu, dice.pick(NUMBERS))],
  [2, (pdu, dice) => ({ ...pdu, [dice.pick(['type', 'state_key'])]: dice.pick(['a', 'é', '\u{1f600}']).repeat(dice.pick([255, 256, 127, 128, 63, 64])) })],
  [1, (pdu, dice) => ({ ...pdu, sender: dice.pick(['@:a.example', '@é:a.example', `@${'a'.repeat(254)}:b`, `@${'é'.repeat(125)}:b.c`, 'bob', '@bob', '@a:b c', '@A b:c.example', '@x:[::1]:80']) })],
  [1, (pdu, dice) => ({ ...pdu, room_id: dice.pick(['!x', '!:a', 'x:y', `!${'r'.repeat(260)}:a`, '!é:a.example', '!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']) })],
  [1, (pdu, dice) => references(pdu, 'prev_events', dice.pick([0, 1, 20, 21]))],
  [1, (pdu, dice) => references(pdu, 'auth_events', dice.pick([0, 1, 10, 11]))],
  [1, (pdu, dice) => ({ ...pdu, unsigned: dice.pick<Json>([{ age: 5 }, { x: 1 }, {}, { age: '5' }]) })],
  [1, (pdu, dice) => inContent(pdu, 'x'.repeat(dice.pick([60_000, 64_500, 65_536])))],
  [1, (pdu) => inContent(pdu, nested(60))],
  [1, (pdu) => inContent(pdu, JSON.parse('{"__proto__": {"x": 1}, "constructor": 5, "\\u007f\\u2028é": "\\u0001\\n\\"/\\\\"}') as Json)],
  [1, (pdu) => inContent(pdu, { '\u{1f600}': 1, '\uff61': 2, 'Z': 3, 'a': 4, '10': 5, '9': 6 })],
  [1, (pdu) => ({ ...pdu, hashes: { sha256: 'AAAA', other: 'x' } })],
] // prettier-ignore

/** The event with one or two changes, mostly hashed anew. */
export function mutate(dice: Dice, rules: RoomVersionRules, pdu: JsonObject): JsonObject {
  let out = pdu
  const changes = 1 + dice.int(2)
  for (let i = 0; i < changes; i++) out = dice.weighted(MUTATIONS)(out, dice, rules)
  return dice.chance(0.8) && isObject(out['hashes']) ? rehashed(out, rules) : out
}

function rehashed(pdu: JsonObject, rules: RoomVersionRules): JsonObject {
  try {
    return { ...pdu, hashes: { sha256: contentHash(pdu, rules) } }
  } catch (error) {
    if (error instanceof NotCanonical) return pdu
    throw error
  }
}
