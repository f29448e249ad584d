import { invalidParam } from '../../core/errors.js'

/**
 * Tokens are opaque to clients and versioned for us. `s1_<position>_<ephemeral>_<to-device>`: everything up to a
 * stream position, up to a position of the ephemeral stream (typing), and to-device messages up to a position of their own,
 * as they come in portions; a fourth number follows while sticky events, which do so too, are behind. `t1_<depth>_<ord>`: a place between events of a room in
 * topological order, right before the event of that depth and order.
 */
export interface SyncToken {
  readonly pos: number
  readonly ephemeral: number
  readonly toDevice: number
  /** Absent where it is `pos`. */
  readonly sticky?: number | undefined
}

export interface TopologicalToken {
  readonly depth: number
  readonly ord: number
}

/** `p1_<state>_<position>_<ephemeral>`: what a connection of sliding sync was told, and up to where. */
export interface SlidingToken {
  readonly seq: number
  readonly pos: number
  readonly ephemeral: number
}

const SYNC = /^s1_(\d{1,15})_(\d{1,15})_(\d{1,15})(?:_(\d{1,15}))?$/
const SLIDING = /^p1_(\d{1,15})_(\d{1,15})_(\d{1,15})$/
const TO_DEVICE = /^d1_(\d{1,15})$/
const STICKY = /^k1_(\d{1,15})$/
const THREADS = /^h1_(\d{1,15})$/
const TOPOLOGICAL = /^t1_(\d{1,16})_(-?\d{1,16})$/

export const syncToken = ({ pos, ephemeral, toDevice, sticky }: SyncToken): string =>
  `s1_${pos}_${ephemeral}_${toDevice}${sticky === undefined || sticky >= pos ? '' : `_${sticky}`}`
export const topologicalToken = (token: TopologicalToken): string => `t1_${token.depth}_${token.ord}`

/** Throws M_INVALID_PARAM. */
export function parseSyncToken(text: string): SyncToken {
  const match = SYNC.exec(text)
  if (match === null) throw invalidParam('Not a token of this server')
  return {
    pos: Number(match[1]),
    ephemeral: Number(match[2]),
    toDevice: Number(match[3]),
    ...(match[4] === undefined ? {} : { sticky: Number(match[4]) }),
  }
}

export const slidingToken = (token: SlidingToken): string => `p1_${token.seq}_${token.pos}_${token.ephemeral}`

/** Undefined for another text. */
export function parseSlidingToken(text: string): SlidingToken | undefined {
  const match = SLIDING.exec(text)
  if (match === null) return undefined
  return { seq: Number(match[1]), pos: Number(match[2]), ephemeral: Number(match[3]) }
}

/** Of a token that is one position. Throws M_INVALID_PARAM. */
function parsePosition(pattern: RegExp, text: string): number {
  const match = pattern.exec(text)
  if (match === null) throw invalidParam('Not a token of this server')
  return Number(match[1])
}

/** Messages to a device up to a position, as sliding sync counts them. */
export const toDeviceToken = (pos: number): string => `d1_${pos}`

/** Throws M_INVALID_PARAM. */
export const parseToDeviceToken = (text: string): number => parsePosition(TO_DEVICE, text)

/** Sticky events up to and with a position, as sliding sync counts them. */
export const stickyToken = (pos: number): string => `k1_${pos}`

/** Throws M_INVALID_PARAM. */
export const parseStickyToken = (text: string): number => parsePosition(STICKY, text)

/** Changes of the threads that a user follows, up to and with a position. */
export const threadsToken = (pos: number): string => `h1_${pos}`

/** Throws M_INVALID_PARAM. */
export const parseThreadsToken = (text: string): number => parsePosition(THREADS, text)

/** A token for paging: any kind. Throws M_INVALID_PARAM. */
export function parsePagingToken(text: string): TopologicalToken | { readonly pos: number } {
  const match = TOPOLOGICAL.exec(text)
  if (match !== null) {
    const place = { depth: Number(match[1]), ord: Number(match[2]) }
    // A page begins one before or after the place.
    const isPlace = Number.isSafeInteger(place.depth) && Number.isSafeInteger(Math.abs(place.ord) + 1)
    if (!isPlace) throw invalidParam('Not a token of this server')
    return place
  }
  return { pos: parseSlidingToken(text)?.pos ?? parseSyncToken(text).pos }
}
