import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import type { Pdu, RoomEvent } from './types.js'

const KEPT_SINCE_V11 = [
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
]
const KEPT_BEFORE_V11 = new Set([...KEPT_SINCE_V11, 'prev_state', 'origin', 'membership'])
const KEPT: ReadonlySet<string> = new Set(KEPT_SINCE_V11)

type Algorithm = RoomVersionRules['redaction']
const ORDER: readonly Algorithm[] = ['v1', 'v6', 'v8', 'v9', 'v11']
const since = (algorithm: Algorithm, first: Algorithm): boolean =>
  ORDER.indexOf(algorithm) >= ORDER.indexOf(first)

/**
 * Strips an event to what servers may never remove: the form that is hashed for its id and that its signatures cover.
 * Values are shared with the original, which is not changed.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#redactions and each room version's page
 */
export function redact(pdu: Pdu, rules: RoomVersionRules): Pdu {
  const kept = rules.redaction === 'v11' ? KEPT : KEPT_BEFORE_V11
  const out: Record<string, Json> = {}
  for (const key of Object.keys(pdu)) {
    if (kept.has(key)) out[key] = pdu[key] as Json
  }
  out['content'] = redactContent(pdu.type, pdu.content, rules.redaction)
  return out as unknown as Pdu
}

/** The redacted form of an event, e.g. because its content hash is wrong. Its identity and place in the room stay. */
export function redactedEvent(event: RoomEvent): RoomEvent {
  const pdu = redact(event.pdu, event.rules)
  const redacts = event.rules.redactsIn === 'content' ? event.redacts : undefined
  return { ...event, content: pdu.content, redacts, pdu }
}

function redactContent(type: string, content: JsonObject, algorithm: Algorithm): JsonObject {
  switch (type) {
    case 'm.room.member':
      return redactMember(content, algorithm)
    case 'm.room.create':
      return since(algorithm, 'v11') ? content : pick(content, ['creator'])
    case 'm.room.join_rules':
      return pick(content, since(algorithm, 'v8') ? ['join_rule', 'allow'] : ['join_rule'])
    case 'm.room.power_levels':
      return pick(content, since(algorithm, 'v11') ? [...POWER_LEVELS, 'invite'] : POWER_LEVELS)
    case 'm.room.aliases':
      return algorithm === 'v1' ? pick(content, ['aliases']) : {}
    case 'm.room.history_visibility':
      return pick(content, ['history_visibility'])
    case 'm.room.redaction':
      return since(algorithm, 'v11') ? pick(content, ['redacts']) : {}
    default:
      return {}
  }
}

const POWER_LEVELS = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
]

function redactMember(content: JsonObject, algorithm: Algorithm): JsonObject {
  const kept = pick(
    content,
    since(algorithm, 'v9') ? ['membership', 'join_authorised_via_users_server'] : ['membership'],
  )
  const invite = ownValue(content, 'third_party_invite')
  if (!since(algorithm, 'v11') || !isObject(invite)) return kept
  // An invite object without `signed` leaves an empty object: so do other servers, and the event id depends on it.
  return { ...kept, third_party_invite: pick(invite, ['signed']) }
}

function pick(object: JsonObject, keys: readonly string[]): JsonObject {
  const out: Record<string, Json> = {}
  for (const key of keys) {
    if (Object.hasOwn(object, key)) out[key] = object[key] as Json
  }
  return out
}
