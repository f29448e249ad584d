import { strippedEvent } from '../../../core/event/client-view.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { isUserId } from '../../../core/ids/user-id.js'
import { createEventIdOf } from '../../../core/ids/room-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import { invalidParam } from '../../../core/errors.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import type { PduIntake } from './pdu-intake.js'

/** State events that come with an invite or a knock. */
const MAX_EVENTS = 100
/** Of the state key and type together with the content, as JSON; an event may have 64 KiB. */
const MAX_BYTES = 65_536
/** Of all of them together. Every initial /sync carries them, for each room that the user is invited to. */
const MAX_TOTAL_BYTES = 128 * 1024

export interface OutsideState {
  readonly list: Json | undefined
  readonly rules: RoomVersionRules
  readonly roomId: string
  readonly origin: string
  /** Whether what is wrong is refused (M_INVALID_PARAM) or left out. */
  readonly strict: boolean
}

/**
 * What clients are shown of a room that this server is not in: of each state event the four fields of stripped state.
 * Whole events must be events of the room, signed by their senders' servers; from room version 12 the create event must be
 * there and be the one that the room id names.
 *
 * NOTSPEC: stripped events are taken too, in every room version: widespread servers still send them.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid
 */
export async function readOutsideState(intake: PduIntake, input: OutsideState): Promise<JsonObject[]> {
  const { list, rules, roomId, origin, strict } = input
  const wrong = (why: string): void => {
    if (strict) throw invalidParam(`The state of the room: ${why}`)
  }
  const items = Array.isArray(list) ? (list as readonly Json[]) : []
  if (items.length > MAX_EVENTS) wrong('too many events')
  const taken = items.slice(0, MAX_EVENTS)
  const whole = taken.filter((item) => isObject(item) && Object.hasOwn(item, 'signatures'))
  const results = await intake(whole, rules, roomId, { origin, keyWaitMs: 10_000 })
  const verified = new Map<Json, RoomEvent>()
  for (const [i, result] of results.entries()) {
    const event = result.ok ? result.event : result.unverified
    // A room id of version 12 proves its create event, whoever's keys can be had.
    const proven = result.ok || (rules.roomIds === 'create-hash' && event?.id === createEventIdOf(roomId))
    if (event !== undefined && proven && event.stateKey !== undefined) verified.set(whole[i]!, event)
    else if (!result.ok && result.unverified === undefined) wrong(result.reason)
  }
  const out = new Map<string, JsonObject>()
  let create = false
  let total = 0
  for (const item of taken) {
    const event = verified.get(item)
    const stripped =
      event !== undefined ? strippedEvent(event) : whole.includes(item) ? undefined : readStripped(item)
    if (stripped === undefined) continue
    total += JSON.stringify(stripped).length
    if (total > MAX_TOTAL_BYTES) {
      wrong('too much')
      break
    }
    const { type, state_key: stateKey } = stripped as { type: string; state_key: string }
    if (type === 'm.room.create' && stateKey === '') {
      create = true
      const content = stripped['content'] as JsonObject
      if ((ownValue(content, 'room_version') ?? '1') !== rules.id) wrong('another room version')
    }
    out.set(`${type}\u0000${stateKey}`, stripped)
  }
  if (!create && rules.roomIds === 'create-hash') wrong('the create event is missing')
  return [...out.values()]
}

/** The four fields, if they have the right types. */
function readStripped(item: Json): JsonObject | undefined {
  if (!isObject(item)) return undefined
  const type = ownValue(item, 'type')
  const sender = ownValue(item, 'sender')
  const stateKey = ownValue(item, 'state_key')
  const content = ownValue(item, 'content')
  if (
    typeof type !== 'string' ||
    typeof stateKey !== 'string' ||
    type.length > 255 ||
    stateKey.length > 255
  ) {
    return undefined
  }
  if (typeof sender !== 'string' || !isUserId(sender) || !isObject(content)) return undefined
  if (type.includes('\u0000') || stateKey.includes('\u0000')) return undefined
  if (JSON.stringify(content).length > MAX_BYTES) return undefined
  return { type, sender, state_key: stateKey, content }
}

/** The membership event itself as the user's clients see it beside the room's state. */
export const ownMembership = (event: RoomEvent): JsonObject => ({
  ...strippedEvent(event),
  event_id: event.id,
  origin_server_ts: event.originServerTs,
})
