import type { Json, JsonObject } from '../json/value.js'
import { stickyDuration, stickyMember } from './sticky.js'
import type { RoomEvent } from './types.js'

export interface ClientViewOptions {
  /** What this server says about the event; nothing of it comes from other servers. */
  readonly unsigned?: JsonObject | undefined
  /** In /sync the room is said outside of the events. */
  readonly omitRoomId?: boolean | undefined
}

/**
 * An event as clients see it. For redactions `redacts` stands at the top level and in the content, whatever the room
 * version, so that old and new clients find it.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#room-event-format
 */
export function clientEvent(event: RoomEvent, options: ClientViewOptions = {}): JsonObject {
  const { redacts, stateKey } = event
  const out: Record<string, Json> = {
    type: event.type,
    sender: event.sender,
    content: redacts === undefined ? event.content : { ...event.content, redacts },
    event_id: event.id,
    origin_server_ts: event.originServerTs,
  }
  if (stateKey !== undefined) out['state_key'] = stateKey
  if (redacts !== undefined) out['redacts'] = redacts
  const sticky = stickyDuration(event)
  if (sticky !== undefined) Object.assign(out, stickyMember(sticky))
  if (options.omitRoomId !== true) out['room_id'] = event.roomId
  if (options.unsigned !== undefined) out['unsigned'] = options.unsigned
  return out
}

/** An event as servers exchange it, for clients that ask for `event_format: federation`; with its id, which its hash gives. */
export function federationFormatEvent(event: RoomEvent, unsigned: JsonObject | undefined): JsonObject {
  return { ...event.pdu, event_id: event.id, ...(unsigned === undefined ? {} : { unsigned }) }
}

/**
 * The four fields of a state event that outsiders see, in invites and knocks.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#stripped-state
 */
export function strippedEvent(event: RoomEvent): JsonObject {
  return {
    type: event.type,
    sender: event.sender,
    state_key: event.stateKey ?? '',
    content: event.content,
  }
}
