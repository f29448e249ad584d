import { fitsId, isLegalText } from '../ids/common.js'
import { isHashRoomId, parseOpaqueRoomId, roomIdOfCreate } from '../ids/room-id.js'
import { isUserId } from '../ids/user-id.js'
import { NotCanonical } from '../json/canonical.js'
import { isInteger64, toDouble, toSafeInteger } from '../json/integer.js'
import { isObject, ownValue, type Json, type RawNumber } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { canonicalForms, type CanonicalForms } from './canonical-forms.js'
import { referenceHashOf, without } from './hash.js'
import { isEventIdOf, readReferences } from './references.js'
import { checkTextSize, fitsCodePoints, MAX_AUTH_EVENTS, MAX_PREV_EVENTS, strictFieldBytes } from './size.js'
import { refuse, type Pdu, type Refusal, type RoomEvent } from './types.js'

export type PduResult =
  | { readonly ok: true; readonly event: RoomEvent; /** Of `event.pdu`. */ readonly forms: CanonicalForms }
  | Refusal

export interface PduContext {
  /** The room that the event must be of. */
  readonly roomId?: string
}

/**
 * Checks the format of an event of a room version. What fails is to be dropped. `unsigned` is removed: nobody vouches
 * for it. Hashes, signatures and auth rules are not looked at.
 *
 * `prevEvents` of the result has each id once; `authEvents` is as sent, because the auth rules reject duplicates.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export function readPdu(json: Json, rules: RoomVersionRules, context: PduContext = {}): PduResult {
  if (!isObject(json)) return wrong('the event is not an object')
  const pdu = Object.hasOwn(json, 'unsigned') ? without(json, ['unsigned']) : json
  const field = (name: string): Json | undefined => ownValue(pdu, name)

  const type = field('type')
  if (typeof type !== 'string' || !isFieldText(type, rules)) return wrong('type')
  const stateKey = field('state_key')
  if (stateKey !== undefined && (typeof stateKey !== 'string' || !isFieldText(stateKey, rules))) {
    return wrong('state_key')
  }
  const sender = field('sender')
  if (typeof sender !== 'string' || !isUserId(sender)) return wrong('sender')
  const content = field('content')
  if (!isObject(content)) return wrong('content')
  if (!isHashes(field('hashes'))) return wrong('hashes')
  if (!isSignatures(field('signatures'))) return wrong('signatures')
  const timestamp = field('origin_server_ts')
  if (!isIntegerOf(rules, timestamp)) return wrong('origin_server_ts')
  const depth = field('depth')
  if (!isIntegerOf(rules, depth) || toDouble(depth) < 0) return wrong('depth')
  const prevEvents = readReferences(field('prev_events'), rules, MAX_PREV_EVENTS)
  if (prevEvents === undefined) return wrong('prev_events')
  const authEvents = readReferences(field('auth_events'), rules, MAX_AUTH_EVENTS)
  if (authEvents === undefined) return wrong('auth_events')

  const ownId = field('event_id')
  if (rules.eventIds === 'on-the-wire' && (typeof ownId !== 'string' || !isEventIdOf(rules, ownId))) {
    return wrong('event_id')
  }
  const givenRoomId = field('room_id')
  // In room version 12 the create event names the room instead of naming its room.
  const namesRoom = rules.roomIds === 'create-hash' && type === 'm.room.create' && stateKey === ''
  if (namesRoom ? givenRoomId !== undefined : !isRoomIdOf(rules, givenRoomId)) return wrong('room_id')

  const checked = pdu as unknown as Pdu
  let forms: CanonicalForms
  try {
    forms = canonicalForms(checked, rules)
  } catch (error) {
    if (error instanceof NotCanonical) return refuse('format.json', error.message)
    throw error
  }
  const size = checkTextSize(forms.whole)
  if (!size.ok) return size

  const id = rules.eventIds === 'on-the-wire' ? (ownId as string) : `$${referenceHashOf(forms.signed, rules)}`
  if (prevEvents.includes(id) || authEvents.includes(id)) return wrong('the event refers to itself')
  const roomId = namesRoom ? roomIdOfCreate(id) : (givenRoomId as string)
  if (context.roomId !== undefined && context.roomId !== roomId) return wrong('the event is of another room')

  const redacts = rules.redactsIn === 'event' ? field('redacts') : ownValue(content, 'redacts')
  return {
    ok: true,
    forms,
    event: {
      id,
      roomId,
      rules,
      type,
      sender,
      stateKey,
      content,
      depth: toSafeInteger(depth),
      originServerTs: toSafeInteger(timestamp),
      prevEvents: [...new Set(prevEvents)],
      authEvents,
      redacts: type === 'm.room.redaction' && typeof redacts === 'string' ? redacts : undefined,
      pdu: checked,
    },
  }
}

const wrong = (what: string): Refusal => refuse('format.field', `malformed event: ${what}`)

/**
 * Event types and state keys: at most 255 bytes (in old room versions code points, see `checkFieldBytes`).
 * NOTSPEC: NUL is refused. PostgreSQL cannot store it, and it separates the two in the keys of state maps.
 */
const isFieldText = (text: string, rules: RoomVersionRules): boolean =>
  (strictFieldBytes(rules) ? fitsId(text) : fitsCodePoints(text)) && isLegalText(text)

const isRoomIdOf = (rules: RoomVersionRules, id: Json | undefined): boolean =>
  typeof id === 'string' &&
  (rules.roomIds === 'create-hash' ? isHashRoomId(id) : parseOpaqueRoomId(id) !== undefined)

/** Integers beyond ±(2^53−1) exist in room versions 1–5 only. */
function isIntegerOf(rules: RoomVersionRules, value: Json | undefined): value is number | RawNumber {
  return isInteger64(value) && (typeof value === 'number' || !rules.strictCanonicalJson)
}

function isHashes(value: Json | undefined): boolean {
  if (!isObject(value) || !Object.hasOwn(value, 'sha256')) return false
  return Object.values(value).every((hash) => typeof hash === 'string')
}

function isSignatures(value: Json | undefined): boolean {
  if (!isObject(value)) return false
  return Object.values(value).every(
    (keys) => isObject(keys) && Object.values(keys).every((signature) => typeof signature === 'string'),
  )
}
