import { liveEvents } from '../../storage/tables/events.js'
import type { Store } from '../../storage/tx.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import { parsePagingToken, type TopologicalToken } from './tokens.js'

/** Below every event: backfill goes down from 0, one at a time. */
export const LOWEST_ORD = -(2 ** 52)
/** Before every event. */
export const OLDEST: TopologicalToken = { depth: 0, ord: LOWEST_ORD }
/** After every event, those of the greatest depth there is included: another server may send one. */
export const NEWEST: TopologicalToken = { depth: Number.MAX_SAFE_INTEGER, ord: 999_999_999_999_999 }

/** The places right after and right before an event. Pre: it has an `ord`. */
export const after = (event: StoredEvent): TopologicalToken => ({
  depth: event.event.depth,
  ord: event.ord! + 1,
})
export const before = (event: StoredEvent): TopologicalToken => ({
  depth: event.event.depth,
  ord: event.ord!,
})

export const isEarlier = (a: TopologicalToken, b: TopologicalToken): boolean =>
  a.depth < b.depth || (a.depth === b.depth && a.ord < b.ord)

export const earlierOf = (a: TopologicalToken, b: TopologicalToken | undefined): TopologicalToken =>
  b === undefined || isEarlier(a, b) ? a : b

/** Whether a page that goes in a direction has left everything up to the place behind. */
export const isPast = (event: StoredEvent, to: TopologicalToken, dir: 'f' | 'b'): boolean =>
  isEarlier(before(event), to) === (dir === 'b')

/**
 * The place that a token means: its own, or that right after everything which a sync token covers; without a token where paging in a
 * direction begins. Throws M_INVALID_PARAM.
 */
export async function placeOf(
  store: Store,
  room: Pick<RoomSnapshot, 'nid'>,
  token: string | undefined,
  dir: 'f' | 'b',
): Promise<TopologicalToken> {
  if (token === undefined) return dir === 'b' ? NEWEST : OLDEST
  const parsed = parsePagingToken(token)
  if ('depth' in parsed) return parsed
  const [last] = await store.read('timeline.place', () => liveEvents(room.nid, 0, parsed.pos, 1))
  return last === undefined ? OLDEST : { depth: last.depth, ord: (last.ord ?? 0) + 1 }
}
