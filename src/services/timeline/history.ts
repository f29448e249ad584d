import { compileEventFilter, type EventFilter } from '../../core/event-filter.js'
import { forbidden, missingParam, notFound } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { eventsAfter, eventsBefore, gapDepth, type EventRow } from '../../storage/tables/events.js'
import { createPace } from '../../platform/pace.js'
import { joinedEventNids, membershipOf } from '../../storage/tables/memberships.js'
import { readState, readStateEvent, readWholeState, type RoomsContext } from '../rooms/context.js'
import type { StateKey } from '../rooms/state-store.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { Aggregations } from './aggregations.js'
import type { ClientViews, Viewer } from './client-view.js'
import { after, before, earlierOf, isPast, NEWEST, OLDEST, placeOf } from './places.js'
import { accessOf, visibleEvent, type Access } from './room-access.js'
import { topologicalToken, type TopologicalToken } from './tokens.js'

const MAX_PAGE = 1000
/** Rows read for one page at the most, however many of them the reader may not see. */
const MAX_SCANNED = 5000
/** How often other servers are asked for what one page lacks, and after how many milliseconds no more. */
const MAX_FILLS = 3
const MAX_FILLING = 10_000

export interface MessagesInput {
  readonly roomId: string
  /** Undefined is refused, after it was seen that the user may read the room. */
  readonly dir: 'f' | 'b' | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly limit?: number | undefined
  readonly filter?: Json
  /** Other servers are not asked for what is missing. */
  readonly localOnly?: boolean
}

/** Reading rooms: what was said, and the state now and then. All of it within what the user may see. */
export interface History {
  messages(viewer: Viewer, input: MessagesInput): Promise<JsonObject>
  context(
    viewer: Viewer,
    input: { roomId: string; eventId: string; limit: number; filter?: Json },
  ): Promise<JsonObject>
  /** What was said around an event of a room that the user may see, without its state; `events_before` the latest first. */
  around(
    viewer: Viewer,
    access: Access,
    event: StoredEvent,
    limits: { readonly before: number; readonly after: number },
  ): Promise<JsonObject>
  event(viewer: Viewer, roomId: string, eventId: string): Promise<JsonObject>
  /** The same, whatever its room. */
  eventAnywhere(viewer: Viewer, eventId: string): Promise<JsonObject>
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
  readonly aggregations: Aggregations
  /** Fetches earlier events from other servers when this one has none before a depth; true when something came. */
  backfill(roomId: string, beforeDepth: number, limit: number): Promise<boolean>
}

export function createHistory(deps: HistoryDeps): History {
  const { context, views } = deps

  const access = (viewer: Viewer, roomId: string): Promise<Access> => accessOf(context, viewer, roomId)

  /** Events of the room as this user is shown them, with what relates to them. */
  async function shown(events: readonly StoredEvent[], viewer: Viewer, entry: Access): Promise<JsonObject[]> {
    const relations = await deps.aggregations.of(events, viewer, entry)
    return views.view(events, viewer, { reader: entry.reader, relations })
  }

  interface Page {
    readonly events: StoredEvent[]
    /** Where the next page begins; undefined at the end. */
    readonly next: TopologicalToken | undefined
  }

  async function page(
    { room, reader, end, ignored }: Access,
    dir: 'f' | 'b',
    from: TopologicalToken,
    limit: number,
    filter: EventFilter,
    to?: TopologicalToken,
  ): Promise<Page> {
    const events: StoredEvent[] = []
    const pace = createPace()
    let place = from
    let leftOut = false
    // NOTSPEC: the last page that a filter has thinned out names a next one, which is empty. All other servers do, and clients count on it.
    const atEnd = (): Page => ({ events, next: leftOut && events.length > 0 ? place : undefined })
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
        if (event.event.stateKey === undefined && ignored.has(event.event.sender)) continue
        if (!filter.admits(event.event)) {
          leftOut = true
          continue
        }
        if (!(await reader.mayRead(event))) continue
        events.push(event)
        if (events.length >= limit) return { events, next: place }
      }
      if (rows.length < size) return atEnd()
    }
    return { events, next: place }
  }

  /**
   * A page without the holes that other servers can fill: where an event of it names predecessors that are not here, they are fetched, and
   * the page is read anew.
   */
  async function wholePage(
    entry: Access,
    dir: 'f' | 'b',
    from: TopologicalToken,
    limit: number,
    filter: EventFilter,
    to?: TopologicalToken,
  ): Promise<Page> {
    const { room } = entry
    const began = context.clock.monotonic()
    let result = await page(entry, dir, from, limit, filter, to)
    for (let i = 0; ; i++) {
      const { next } = result
      const edge = next ?? to
      const [low, high] =
        dir === 'b' ? [edge?.depth ?? 0, from.depth] : [from.depth, edge?.depth ?? NEWEST.depth]
      const hole = await context.store.read('timeline.hole', () => gapDepth(room.nid, low, high, dir))
      const atBeginning = dir === 'b' && next === undefined && to === undefined
      const depth = hole ?? (atBeginning ? (result.events.at(-1)?.event.depth ?? from.depth) : undefined)
      if (depth === undefined) return result
      // A hole is filled from its later end, so who goes forward waits before it while there is progress.
      if (i === MAX_FILLS || context.clock.monotonic() - began > MAX_FILLING)
        return dir === 'f' ? upToDepth(result, depth) : toGoOn(result, from)
      if (!(await deps.backfill(room.roomId, depth, dir === 'f' ? MAX_PAGE : limit))) return result
      result = await page(entry, dir, from, limit, filter, to)
    }
  }

  /** A page back that ends because enough was fetched for one request: there is more, and the next request fetches it. */
  const toGoOn = ({ events, next }: Page, from: TopologicalToken): Page => {
    const last = events.at(-1)
    return { events, next: next ?? (last === undefined ? from : before(last)) }
  }

  /** Ends a page that goes forward before the first event of a depth. */
  function upToDepth(whole: Page, depth: number): Page {
    const i = whole.events.findIndex((item) => item.event.depth >= depth)
    return i === -1 ? whole : { events: whole.events.slice(0, i), next: before(whole.events[i]!) }
  }

  /** As `access`, for an answer that all members of the room belong to: it waits until they are known. */
  async function wholeAccess(viewer: Viewer, roomId: string): Promise<Access> {
    const entry = await access(viewer, roomId)
    if (!entry.room.partial || entry.end !== undefined) return entry
    await context.awaitWhole(roomId)
    return access(viewer, roomId)
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

  /**
   * The creator's join: a token of before a room's beginning, as that of a timeline which holds all of a young room, stands for
   * the first state that has members.
   */
  async function founding(room: RoomSnapshot): Promise<readonly EventRow[]> {
    const rows = await context.store.read('timeline.founding', () =>
      eventsAfter(room.nid, OLDEST.depth, OLDEST.ord, 2),
    )
    return rows.slice(1)
  }

  async function oneEvent(viewer: Viewer, roomId: string, eventId: string): Promise<JsonObject> {
    const found = await visibleEvent(context, viewer, roomId, eventId)
    const [view] = await shown([found.event], viewer, found.access)
    return view!
  }

  return {
    async messages(viewer, input) {
      const entry = await access(viewer, input.roomId)
      const { dir } = input
      if (dir === undefined) throw missingParam('Missing parameter: dir')
      const filter = compileEventFilter(input.filter)
      const limit = Math.min(Math.max(1, input.limit ?? filter.limit ?? 10), MAX_PAGE)
      const from = earlierOf(await placeOf(context.store, entry.room, input.from, dir), entry.end)
      const to = input.to === undefined ? undefined : await placeOf(context.store, entry.room, input.to, dir)
      const read = input.localOnly === true ? page : wholePage
      const result = await read(entry, dir, from, limit, filter, to)
      const members = filter.lazyLoadMembers ? await membersOf(entry.room, entry.root, result.events) : []
      const chunk = await shown(result.events, viewer, entry)
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
      const speaking = [...earlier.events, target, ...later.events]
      const state = filter.lazyLoadMembers
        ? [
            ...(await readWholeState(context, entry.room, root)).filter(
              (item) => item.event.type !== 'm.room.member',
            ),
            ...(await membersOf(entry.room, root, speaking)),
          ]
        : await readWholeState(context, entry.room, root)
      const chunk = await shown(speaking, viewer, entry)
      const at = earlier.events.length
      return {
        event: chunk[at]!,
        events_before: chunk.slice(0, at),
        events_after: chunk.slice(at + 1),
        start: topologicalToken(before(earlier.events.at(-1) ?? target)),
        end: topologicalToken(after(last)),
        state: await views.view(state, viewer),
      }
    },

    async around(viewer, entry, target, limits) {
      const filter = compileEventFilter(undefined)
      const none: Page = { events: [], next: undefined }
      const { before: earlierLimit, after: laterLimit } = limits
      const earlier = earlierLimit < 1 ? none : await page(entry, 'b', before(target), earlierLimit, filter)
      const later = laterLimit < 1 ? none : await page(entry, 'f', after(target), laterLimit, filter)
      const chunk = await shown([...earlier.events, ...later.events], viewer, entry)
      return {
        events_before: chunk.slice(0, earlier.events.length),
        events_after: chunk.slice(earlier.events.length),
        start: topologicalToken(before(earlier.events.at(-1) ?? target)),
        end: topologicalToken(after(later.events.at(-1) ?? target)),
      }
    },

    event: oneEvent,

    async eventAnywhere(viewer, eventId) {
      const known = await context.events.byId(eventId)
      if (known === undefined) throw notFound('Unknown event')
      return oneEvent(viewer, known.event.roomId, eventId)
    },

    async state(viewer, roomId) {
      const entry = await wholeAccess(viewer, roomId)
      return views.view(await readWholeState(context, entry.room, entry.root), viewer)
    },

    async stateEvent(viewer, roomId, key, format) {
      const entry = await access(viewer, roomId)
      let stored = await readStateEvent(context, entry.room, key.type, key.stateKey, entry.root)
      if (stored === undefined && key.type === 'm.room.member' && entry.room.partial) {
        const { room, root } = await wholeAccess(viewer, roomId)
        stored = await readStateEvent(context, room, key.type, key.stateKey, root)
      }
      if (stored === undefined) throw notFound('The room has no such state')
      if (format === 'content') return stored.event.content
      const [view] = await views.view([stored], viewer)
      return view!
    },

    async members(viewer, roomId, options) {
      const entry = await wholeAccess(viewer, roomId)
      let root = entry.root
      if (options.at !== undefined) {
        const place = earlierOf(await placeOf(context.store, entry.room, options.at, 'b'), entry.end)
        const rows = await context.store.read('timeline.at', () =>
          eventsBefore(entry.room.nid, place.depth, place.ord, 1),
        )
        const [event] = await context.events.revive(rows.length > 0 ? rows : await founding(entry.room))
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
      await context.awaitWhole(roomId)
      const nids = await context.store.read('timeline.joined', () => joinedEventNids(room.nid))
      const events = await context.events.byNids(nids)
      const joined: Record<string, Json> = {}
      for (const { event } of events.values()) {
        const { displayname, avatar_url: avatarUrl } = event.content
        joined[event.stateKey!] = {
          ...(typeof displayname === 'string' ? { display_name: displayname } : {}),
          // NOTSPEC: null where there is none, as every other server gives; programs look for the key.
          avatar_url: typeof avatarUrl === 'string' ? avatarUrl : null,
        }
      }
      return { joined }
    },
  }
}
