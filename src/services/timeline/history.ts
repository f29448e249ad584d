import { compileEventFilter, type EventFilter } from '../../core/event-filter.js'
import { MatrixError, forbidden, notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { readVisibility } from '../../core/history-visibility.js'
import { eventsAfter, eventsBefore, liveEvents } from '../../storage/tables/events.js'
import { createPace } from '../../platform/pace.js'
import { membershipOf, type MembershipRow } from '../../storage/tables/memberships.js'
import { all } from '../../storage/tx.js'
import { notInRoom, readState, readStateEvent, readWholeState, type RoomsContext } from '../rooms/context.js'
import { lastDeparture } from '../rooms/member-history.js'
import type { StateKey } from '../rooms/state-store.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { ClientViews, Viewer } from './client-view.js'
import { parsePagingToken, topologicalToken, type TopologicalToken } from './tokens.js'
import { readerOf, type Reader } from './visibility.js'

const HISTORY = { type: 'm.room.history_visibility', stateKey: '' }
const MAX_PAGE = 1000
/** Below every event: backfill goes down from 0, one at a time. */
const LOWEST_ORD = -(2 ** 52)
/** Rows read for one page at the most, however many of them the reader may not see. */
const MAX_SCANNED = 5000
/** After every event, those of the greatest depth there is included: another server may send one. */
const NEWEST: TopologicalToken = { depth: Number.MAX_SAFE_INTEGER, ord: 999_999_999_999_999 }

export interface MessagesInput {
  readonly roomId: string
  readonly dir: 'f' | 'b'
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly limit?: number | undefined
  readonly filter?: Json
}

/** Reading rooms: what was said, and the state now and then. All of it within what the user may see. */
export interface History {
  messages(viewer: Viewer, input: MessagesInput): Promise<JsonObject>
  context(
    viewer: Viewer,
    input: { roomId: string; eventId: string; limit: number; filter?: Json },
  ): Promise<JsonObject>
  event(viewer: Viewer, roomId: string, eventId: string): Promise<JsonObject>
  state(viewer: Viewer, roomId: string): Promise<JsonObject[]>
  stateEvent(viewer: Viewer, roomId: string, key: StateKey, format: 'content' | 'event'): Promise<JsonObject>
  members(
    viewer: Viewer,
    roomId: string,
    options: { at?: string | undefined; membership?: string | undefined; notMembership?: string | undefined },
  ): Promise<JsonObject[]>
  joinedMembers(viewer: Viewer, roomId: string): Promise<JsonObject>
}

export interface HistoryDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  /** Fetches earlier events from other servers when this one has none before a depth; true when something came. */
  backfill(roomId: string, beforeDepth: number, limit: number): Promise<boolean>
}

interface Access {
  readonly room: RoomSnapshot
  readonly row: MembershipRow | undefined
  /** The state that the user may see: the current one, or that at their leaving. */
  readonly root: string
  readonly reader: Reader
  /** For who has left: the place right after that, beyond which they see nothing. */
  readonly end: TopologicalToken | undefined
}

export function createHistory(deps: HistoryDeps): History {
  const { context, views } = deps

  /** Throws M_FORBIDDEN for rooms that the user is not and was not in, unless anybody may read them. */
  async function access(viewer: Viewer, roomId: string): Promise<Access> {
    const room = await context.loader.load(roomId)
    if (room?.root === undefined) throw notInRoom()
    const row = await context.store.read('timeline.membership', () => membershipOf(room.nid, viewer.userId))
    const reader = await readerOf(context, room, viewer.userId)
    if (row?.membership === 'join') return { room, row, root: room.root, reader, end: undefined }
    const history = await readStateEvent(context, room, HISTORY.type, HISTORY.stateKey)
    const open = readVisibility(history?.event.content['history_visibility']) === 'world_readable'
    if (open) return { room, row, root: room.root, reader, end: undefined }
    if (typeof row?.event_nid === 'number' && row.forgotten === 0) {
      const left = (await lastDeparture(context, room.nid, viewer.userId))?.event
      if (left?.stateAfter !== undefined && left.ord !== undefined) {
        return { room, row, root: left.stateAfter, reader, end: after(left) }
      }
    }
    throw notInRoom()
  }

  const earlierOf = (a: TopologicalToken, b: TopologicalToken | undefined): TopologicalToken =>
    b === undefined || a.depth < b.depth || (a.depth === b.depth && a.ord < b.ord) ? a : b

  /** The place in topological order right after everything that a sync token covers. */
  async function placeOf(
    room: RoomSnapshot,
    token: string | undefined,
    dir: 'f' | 'b',
  ): Promise<TopologicalToken> {
    if (token === undefined) {
      return dir === 'b' ? NEWEST : { depth: 0, ord: LOWEST_ORD }
    }
    const parsed = parsePagingToken(token)
    if ('depth' in parsed) return parsed
    const [last] = await context.store.read('timeline.place', () => liveEvents(room.nid, 0, parsed.pos, 1))
    return last === undefined
      ? { depth: 0, ord: LOWEST_ORD }
      : { depth: last.depth, ord: (last.ord ?? 0) + 1 }
  }

  const after = (event: StoredEvent): TopologicalToken => ({ depth: event.event.depth, ord: event.ord! + 1 })
  const before = (event: StoredEvent): TopologicalToken => ({ depth: event.event.depth, ord: event.ord! })

  interface Page {
    readonly events: StoredEvent[]
    /** Where the next page begins; undefined at the end. */
    readonly next: TopologicalToken | undefined
  }

  async function page(
    { room, reader, end }: Access,
    dir: 'f' | 'b',
    from: TopologicalToken,
    limit: number,
    filter: EventFilter,
    to?: TopologicalToken,
  ): Promise<Page> {
    const events: StoredEvent[] = []
    const pace = createPace()
    let place = from
    for (let scanned = 0; scanned < MAX_SCANNED;) {
      const size = Math.min(MAX_PAGE, Math.max(limit, 20))
      const rows = await context.store.read('timeline.page', () =>
        dir === 'b'
          ? eventsBefore(room.nid, place.depth, place.ord, size)
          : eventsAfter(room.nid, place.depth, place.ord - 1, size),
      )
      scanned += rows.length
      for (const event of await context.events.revive(rows)) {
        // Each look at another state may read and decode several of its nodes.
        await pace()
        if (to !== undefined && isPast(event, to, dir)) return { events, next: undefined }
        if (dir === 'f' && end !== undefined && isPast(event, end, dir)) return { events, next: undefined }
        place = dir === 'b' ? before(event) : after(event)
        if (!filter.admits(event.event) || !(await reader.mayRead(event))) continue
        events.push(event)
        if (events.length >= limit) return { events, next: place }
      }
      if (rows.length < size) return { events, next: undefined }
    }
    return { events, next: place }
  }

  const isPast = (event: StoredEvent, to: TopologicalToken, dir: 'f' | 'b'): boolean => {
    const { depth } = event.event
    const earlier = depth < to.depth || (depth === to.depth && event.ord! < to.ord)
    return dir === 'b' ? earlier : !earlier
  }

  /** Member events of those who speak in a page, for clients that load members lazily. */
  async function membersOf(
    room: RoomSnapshot,
    root: string,
    events: readonly StoredEvent[],
  ): Promise<StoredEvent[]> {
    const senders = [...new Set(events.map((item) => item.event.sender))]
    const keys = senders.map((stateKey) => ({ type: 'm.room.member', stateKey }))
    return [...(await readState(context, room, keys, root)).values()]
  }

  return {
    async messages(viewer, input) {
      const entry = await access(viewer, input.roomId)
      const filter = compileEventFilter(input.filter)
      const limit = Math.min(Math.max(1, input.limit ?? filter.limit ?? 10), MAX_PAGE)
      const from = earlierOf(await placeOf(entry.room, input.from, input.dir), entry.end)
      const to = input.to === undefined ? undefined : await placeOf(entry.room, input.to, input.dir)
      let result = await page(entry, input.dir, from, limit, filter, to)
      if (input.dir === 'b' && result.next === undefined && to === undefined) {
        const depth = result.events.at(-1)?.event.depth ?? from.depth
        if (await deps.backfill(input.roomId, depth, limit))
          result = await page(entry, 'b', from, limit, filter, to)
      }
      const members = filter.lazyLoadMembers ? await membersOf(entry.room, entry.root, result.events) : []
      const chunk = await views.view(result.events, viewer, { reader: entry.reader })
      return {
        chunk,
        start: input.from ?? topologicalToken(from),
        ...(result.next === undefined ? {} : { end: topologicalToken(result.next) }),
        ...(members.length === 0 ? {} : { state: await views.view(members, viewer) }),
      }
    },

    async context(viewer, input) {
      const entry = await access(viewer, input.roomId)
      const target = await context.events.byId(input.eventId)
      const visible =
        target !== undefined &&
        target.roomNid === entry.room.nid &&
        target.ord !== undefined &&
        (await entry.reader.mayRead(target))
      if (!visible) throw notFound('Unknown event')
      const filter = compileEventFilter(input.filter)
      const limit = Math.min(Math.max(0, input.limit), MAX_PAGE)
      const half = Math.floor(limit / 2)
      const none: Page = { events: [], next: undefined }
      const earlier = half === 0 ? none : await page(entry, 'b', before(target), half, filter)
      const later = limit - half === 0 ? none : await page(entry, 'f', after(target), limit - half, filter)
      const last = later.events.at(-1) ?? target
      const root = last.stateAfter ?? entry.root
      const shown = [...earlier.events, target, ...later.events]
      const state = filter.lazyLoadMembers
        ? [
            ...(await readWholeState(context, entry.room, root)).filter(
              (item) => item.event.type !== 'm.room.member',
            ),
            ...(await membersOf(entry.room, root, shown)),
          ]
        : await readWholeState(context, entry.room, root)
      const options = { reader: entry.reader }
      const [event] = await views.view([target], viewer, options)
      return {
        event: event!,
        events_before: await views.view(earlier.events, viewer, options),
        events_after: await views.view(later.events, viewer, options),
        start: topologicalToken(before(earlier.events.at(-1) ?? target)),
        end: topologicalToken(after(last)),
        state: await views.view(state, viewer),
      }
    },

    async event(viewer, roomId, eventId) {
      // Rooms that one may not read and events that are not there are told alike.
      const entry = await access(viewer, roomId).catch((error: unknown) => {
        throw error instanceof MatrixError ? notFound('Unknown event') : error
      })
      const stored = await context.events.byId(eventId)
      const known = stored !== undefined && stored.roomNid === entry.room.nid && stored.rejected === undefined
      if (!known || stored.softFailed || stored.outlier || !(await entry.reader.mayRead(stored))) {
        throw notFound('Unknown event')
      }
      const [view] = await views.view([stored], viewer, { reader: entry.reader })
      return view!
    },

    async state(viewer, roomId) {
      const entry = await access(viewer, roomId)
      return views.view(await readWholeState(context, entry.room, entry.root), viewer)
    },

    async stateEvent(viewer, roomId, key, format) {
      const entry = await access(viewer, roomId)
      const stored = await readStateEvent(context, entry.room, key.type, key.stateKey, entry.root)
      if (stored === undefined) throw notFound('The room has no such state')
      if (format === 'content') return stored.event.content
      const [view] = await views.view([stored], viewer)
      return view!
    },

    async members(viewer, roomId, options) {
      const entry = await access(viewer, roomId)
      let root = entry.root
      if (options.at !== undefined) {
        const place = earlierOf(await placeOf(entry.room, options.at, 'b'), entry.end)
        const rows = await context.store.read('timeline.at', () =>
          eventsBefore(entry.room.nid, place.depth, place.ord, 1),
        )
        const [event] = await context.events.revive(rows)
        const newest = await context.store.read('timeline.newest', () =>
          eventsBefore(entry.room.nid, NEWEST.depth, NEWEST.ord, 1),
        )
        // At the newest event the current state says more than the state after that event alone.
        const isNewest = newest[0]?.nid === event?.nid
        if (event?.stateAfter !== undefined && (!isNewest || entry.end !== undefined)) root = event.stateAfter
      }
      const events = (await readWholeState(context, entry.room, root)).filter(({ event }) => {
        if (event.type !== 'm.room.member') return false
        const membership = event.content['membership']
        return (
          (options.membership === undefined || membership === options.membership) &&
          (options.notMembership === undefined || membership !== options.notMembership)
        )
      })
      return views.view(events, viewer)
    },

    async joinedMembers(viewer, roomId) {
      const room = await context.loader.load(roomId)
      const row =
        room === undefined
          ? undefined
          : await context.store.read('timeline.membership', () => membershipOf(room.nid, viewer.userId))
      if (room === undefined || row?.membership !== 'join') throw forbidden('You are not in this room')
      const rows = await context.store.read('timeline.joined', () =>
        all<{ event_nid: number }>(
          `SELECT event_nid FROM memberships WHERE room_nid = ? AND membership = 'join' AND event_nid IS NOT NULL`,
          room.nid,
        ),
      )
      const events = await context.events.byNids(rows.map((item) => item.event_nid))
      const joined: Record<string, Json> = {}
      for (const { event } of events.values()) {
        const { displayname, avatar_url: avatarUrl } = event.content
        joined[event.stateKey!] = {
          ...(typeof displayname === 'string' ? { display_name: displayname } : {}),
          ...(typeof avatarUrl === 'string' ? { avatar_url: avatarUrl } : {}),
        }
      }
      return { joined }
    },
  }
}
