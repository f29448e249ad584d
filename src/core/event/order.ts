import { compareCodePoints } from '../json/compare.js'
import { compareIntegers } from '../json/integer.js'
import type { RoomEvent } from './types.js'

// Room versions 1–5 allow integers that doubles cannot tell apart; where two servers ordered such events differently,
// their rooms would part.

/** The bound itself also stands for what is beyond it. */
const isExact = (value: number): boolean => Math.abs(value) < Number.MAX_SAFE_INTEGER

export function compareDepths(a: RoomEvent, b: RoomEvent): number {
  const order = a.depth - b.depth
  return order !== 0 || isExact(a.depth) ? order : compareIntegers(a.pdu.depth, b.pdu.depth)
}

export function compareTimestamps(a: RoomEvent, b: RoomEvent): number {
  const order = a.originServerTs - b.originServerTs
  if (order !== 0 || isExact(a.originServerTs)) return order
  return compareIntegers(a.pdu.origin_server_ts, b.pdu.origin_server_ts)
}

/** By timestamp, then by id: the last two criteria of every order in state resolution. */
export function compareByTime(a: RoomEvent, b: RoomEvent): number {
  return compareTimestamps(a, b) || compareCodePoints(a.id, b.id)
}
