import { isObject, ownValue, type JsonObject } from '../json/value.js'
import type { RoomEvent } from './types.js'

/** NOTSPEC: the member of a PDU by the name that MSC4354 gives it until a release has it. */
const STICKY = 'msc4354_sticky'

/** Milliseconds: no event sticks for longer, whatever it says. */
export const MAX_STICKY_MS = 3_600_000

/** What makes a new event sticky. */
export const stickyMember = (durationMs: number): JsonObject => ({ [STICKY]: { duration_ms: durationMs } })

/** For how long the event wishes to reach everybody, in milliseconds, at most `MAX_STICKY_MS`; undefined for an ordinary event. */
export function stickyDuration({ pdu }: Pick<RoomEvent, 'pdu'>): number | undefined {
  const sticky = ownValue(pdu, STICKY)
  const duration = isObject(sticky) ? ownValue(sticky, 'duration_ms') : undefined
  if (typeof duration !== 'number' || !Number.isInteger(duration) || duration < 0) return undefined
  return Math.min(duration, MAX_STICKY_MS)
}

/**
 * When the event sticks no more, in milliseconds since 1970; it began when it says, but not after it was received.
 * Undefined for an ordinary event. NOTSPEC: MSC4354.
 */
export function stickyUntil(event: RoomEvent, receivedTs: number): number | undefined {
  const duration = stickyDuration(event)
  return duration === undefined ? undefined : Math.min(receivedTs, event.originServerTs) + duration
}
