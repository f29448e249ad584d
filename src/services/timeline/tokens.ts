import { invalidParam } from '../../core/errors.js'

/**
 * Tokens are opaque to clients and versioned for us. `s1_<position>_<ephemeral>_<to-device>`: everything up to a
 * stream position, up to a position of the ephemeral stream (typing), and to-device messages up to a position of their own,
 * as they come in portions. `t1_<depth>_<ord>`: a place between events of a room in
 * topological order, right before the event of that depth and order.
 */
export interface SyncToken {
  readonly pos: number
  readonly ephemeral: number
  readonly toDevice: number
}

export interface TopologicalToken {
  readonly depth: number
  readonly ord: number
}

const SYNC = /^s1_(\d{1,15})_(\d{1,15})_(\d{1,15})$/
const TOPOLOGICAL = /^t1_(\d{1,16})_(-?\d{1,16})$/

export const syncToken = (token: SyncToken): string => `s1_${token.pos}_${token.ephemeral}_${token.toDevice}`
export const topologicalToken = (token: TopologicalToken): string => `t1_${token.depth}_${token.ord}`

/** Throws M_INVALID_PARAM. */
export function parseSyncToken(text: string): SyncToken {
  const match = SYNC.exec(text)
  if (match === null) throw invalidParam('Not a token of this server')
  return { pos: Number(match[1]), ephemeral: Number(match[2]), toDevice: Number(match[3]) }
}

/** A token for paging: either kind. Throws M_INVALID_PARAM. */
export function parsePagingToken(text: string): TopologicalToken | { readonly pos: number } {
  const match = TOPOLOGICAL.exec(text)
  if (match !== null) {
    const place = { depth: Number(match[1]), ord: Number(match[2]) }
    // A page begins one before or after the place.
    const isPlace = Number.isSafeInteger(place.depth) && Number.isSafeInteger(Math.abs(place.ord) + 1)
    if (!isPlace) throw invalidParam('Not a token of this server')
    return place
  }
  return { pos: parseSyncToken(text).pos }
}
