import { liveEventNids, liveEvents } from '../../storage/tables/events.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import { syncToken, topologicalToken } from '../timeline/tokens.js'
import type { Reader } from '../timeline/visibility.js'
import type { SyncFilter } from './filter.js'
import { timelinePage, type TimelinePage } from './room-news.js'

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 500
/** With a filter that leaves much out, fewer and larger pages are read. */
const MIN_FILTERED_PAGE = 100
/** So many arrivals before a first timeline are looked at for events that belong further to the front of the room than some that came after them. */
const SPARE = 20
/** Events looked at for one timeline, however few of them the filter admits; the client is told of the gap. */
const MAX_SCANNED = 2_000

export interface Timeline {
  /** Oldest first. */
  readonly events: readonly StoredEvent[]
  readonly limited: boolean
  /** Where `/messages` goes on backwards. */
  readonly prevBatch: string
}

/** Of which events a timeline is made. */
export interface TimelineInput {
  readonly room: RoomSnapshot
  readonly filter: SyncFilter
  /** Everything after this position is new to the client; 0 for a room that is new to it. */
  readonly since: number
  readonly upTo: number
  /** The client knows other rooms already: this one it joined, or joined again, since then. */
  readonly isNewlyJoined: boolean
  /** The user may have been out of the room for a part of (since, upTo], so each event is checked. */
  readonly checkVisibility: boolean
  readonly ignored: ReadonlySet<string>
}

const limitOf = (filter: SyncFilter): number => Math.min(filter.timeline.limit ?? DEFAULT_LIMIT, MAX_LIMIT)

/** How many events are read at once for a timeline. */
export const timelinePageSize = (filter: SyncFilter): number =>
  Math.max(limitOf(filter) + 1, filter.timeline.admitsAll ? 0 : MIN_FILTERED_PAGE)

/**
 * The latest events of (since, upTo] that the filter and the history visibility let through, in the order of their arrival.
 * For a client that is new to the room they are those nearest to the room's end among the latest arrivals, so that paging goes on where they
 * begin: what arrived late from an old fork does not take the place of what came after the fork. `known`: the first page, where it has been read.
 */
export async function readTimeline(
  input: TimelineInput,
  reader: Reader,
  context: RoomsContext,
  known?: TimelinePage,
): Promise<Timeline> {
  const { filter, room, since, upTo } = input
  const prevBatch = syncToken({ pos: upTo, ephemeral: 0, toDevice: 0 })
  const limit = limitOf(filter)
  if (filter.timeline.nothing || !filter.timeline.admitsRoom(room.roomId)) {
    const skipped =
      limit > 0
        ? []
        : await context.store.read('sync.timeline', () => liveEventNids(room.nid, since, upTo, 1))
    return { events: [], limited: skipped.length > 0, prevBatch }
  }
  const found: StoredEvent[] = []
  const size = timelinePageSize(filter)
  let before = upTo
  let page = known
  let oldest: StoredEvent | undefined
  let spare = since === 0 ? SPARE : 0
  const end = async (limited: boolean, omitted?: StoredEvent): Promise<Timeline> => {
    if (found.length === 0) return { events: [], limited: limited || input.isNewlyJoined, prevBatch }
    const shown = found.length > limit ? nearestToEnd(found, limit) : found
    const first = spare > 0 ? shown.toSorted(byPlace)[0]! : found.at(-1)!
    return {
      events: shown.toReversed(),
      limited: limited || input.isNewlyJoined || shown.length < found.length,
      prevBatch: await placeBefore(first, found.at(-1)!, omitted, context),
    }
  }
  const isShown = async (event: StoredEvent): Promise<boolean> => {
    const { event: pdu } = event
    if (!filter.timeline.admits(pdu)) return false
    if (pdu.stateKey === undefined && input.ignored.has(pdu.sender)) return false
    if (reader.isExpired(event)) return false
    return !input.checkVisibility || (await reader.mayRead(event))
  }
  for (let scanned = 0; scanned < MAX_SCANNED;) {
    page ??= await context.store.read('sync.timeline', () =>
      timelinePage(room.nid, since, before, size + spare),
    )
    const { rows: latest, gaps } = page
    page = undefined
    if (scanned === 0 && latest.every(({ depth }, i) => i === 0 || depth <= latest[i - 1]!.depth)) spare = 0
    const rows = latest.slice(0, size + spare)
    scanned += rows.length
    const events = await context.events.byNids(rows.map((row) => row.nid))
    for (const { nid, pos } of rows) {
      const event = events.get(nid)
      if (event === undefined) continue
      oldest = event
      before = pos - 1
      if (await isShown(event)) {
        if (found.length === limit + spare) return end(true, event)
        found.push(event)
      }
      // What lies between this event and the earlier ones is elsewhere: the client is told of the gap, and asks for it.
      if (gaps.has(nid)) return end(true, event)
    }
    // Before the first event that came live there may be history to fetch from other servers.
    if (rows.length < size + spare) return end(since === 0 && oldest?.event.type !== 'm.room.create')
  }
  return end(true)
}

const byPlace = (a: StoredEvent, b: StoredEvent): number =>
  a.event.depth - b.event.depth || (a.ord ?? 0) - (b.ord ?? 0)

/** Those of the events that stand last in the room, in the order given. */
function nearestToEnd(events: readonly StoredEvent[], limit: number): StoredEvent[] {
  const kept = new Set(events.toSorted(byPlace).slice(events.length - limit))
  return events.filter((event) => kept.has(event))
}

/**
 * The token of everything before a timeline's `first` event; `oldest` is the one that arrived first of those looked at. Pages go by depth
 * and arrivals need not: where an event that is left out is as deep as the first one, paging starts after the deepest of those left
 * out, so that none is lost.
 */
async function placeBefore(
  first: StoredEvent,
  oldest: StoredEvent,
  omitted: StoredEvent | undefined,
  context: RoomsContext,
): Promise<string> {
  const place = { depth: first.event.depth, ord: first.ord! }
  if (omitted === undefined || (first === oldest && omitted.event.depth < place.depth))
    return topologicalToken(place)
  const rows = await context.store.read('sync.omitted', () =>
    liveEvents(first.roomNid, 0, oldest.pos! - 1, MAX_LIMIT),
  )
  let last = place
  for (const { depth, ord } of rows) {
    if (ord === null || depth < last.depth || (depth === last.depth && ord < last.ord)) continue
    last = { depth, ord: ord + 1 }
  }
  return topologicalToken(last)
}
