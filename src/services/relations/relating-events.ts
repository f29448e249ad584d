import type { JsonObject } from '../../core/json/value.js'
import { createPace } from '../../platform/pace.js'
import { childPage, childrenOf, type RelationRow } from '../../storage/tables/relations.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews, Viewer } from '../timeline/client-view.js'
import { earlierOf, isEarlier, placeOf } from '../timeline/places.js'
import { visibleEvent, type Access } from '../timeline/room-access.js'
import { topologicalToken, type TopologicalToken } from '../timeline/tokens.js'

export interface RelatingInput {
  readonly roomId: string
  readonly eventId: string
  readonly relType?: string | undefined
  /** Of the children. */
  readonly type?: string | undefined
  readonly dir: 'f' | 'b'
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly limit?: number | undefined
  /** Undefined where the client did not say. */
  readonly recurse?: boolean | undefined
}

export interface RelatingEvents {
  /**
   * One page of the events that relate to an event, in topological order. Throws M_NOT_FOUND where the user may not see that event,
   * M_INVALID_PARAM for foreign tokens.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#relationships-api
   */
  page(viewer: Viewer, input: RelatingInput): Promise<JsonObject>
}

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 500
/** Levels of relations that are followed. */
const MAX_DEPTH = 3
/** Rows gone through for one page, however few of them the user may see. */
const MAX_SCANNED = 5_000
/** Indirect relations beyond so many are not found. */
const MAX_TREE = 20_000
/** Events whose children are asked for at once. */
const BATCH = 500

/** Gives rows in the page's order, from a place on; an empty list is the end. */
type Source = (place: TopologicalToken, size: number) => Promise<readonly RelationRow[]>

export function createRelatingEvents(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
}): RelatingEvents {
  const { context, views } = deps
  const { store } = context

  const direct =
    (access: Access, { eventId, relType, type, dir }: RelatingInput): Source =>
    (place, size) =>
      store.read('relations.children', () =>
        childPage({ roomNid: access.room.nid, parent: eventId, relType, type }, dir, place, size),
      )

  /** All that relates to the event over a few levels, each through what the client asks for too. */
  async function tree(access: Access, { eventId, relType, type }: RelatingInput): Promise<RelationRow[]> {
    const wanted = (row: RelationRow): boolean =>
      (relType === undefined || row.rel_type === relType) && (type === undefined || row.type === type)
    const seen = new Set([eventId])
    const found: RelationRow[] = []
    let level: readonly string[] = [eventId]
    for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
      const next: string[] = []
      for (let from = 0; from < level.length && found.length < MAX_TREE; from += BATCH) {
        const rows = await store.read('relations.tree', () =>
          childrenOf(access.room.nid, level.slice(from, from + BATCH), MAX_TREE - found.length),
        )
        for (const row of rows) {
          if (seen.has(row.child_id) || !wanted(row)) continue
          seen.add(row.child_id)
          found.push(row)
          next.push(row.child_id)
        }
      }
      level = next
    }
    return found.sort((a, b) => (isEarlier(a, b) ? -1 : 1))
  }

  async function indirect(access: Access, input: RelatingInput): Promise<Source> {
    const rows = await tree(access, input)
    if (input.dir === 'b') rows.reverse()
    return (place, size) => {
      const start = rows.findIndex((row) => isEarlier(row, place) === (input.dir === 'b'))
      return Promise.resolve(start === -1 ? [] : rows.slice(start, start + size))
    }
  }

  async function collect(
    source: Source,
    { reader, end, ignored }: Access,
    dir: 'f' | 'b',
    range: { readonly from: TopologicalToken; readonly to: TopologicalToken | undefined },
    limit: number,
  ): Promise<{ readonly events: StoredEvent[]; readonly next: TopologicalToken | undefined }> {
    const events: StoredEvent[] = []
    const pace = createPace()
    let place = range.from
    for (let scanned = 0; scanned < MAX_SCANNED;) {
      // One more than asked for tells whether there is a further page.
      const rows = await source(place, limit + 1)
      scanned += rows.length
      const stored = await context.events.byNids(rows.map((row) => row.child))
      for (const row of rows) {
        await pace()
        const event = stored.get(row.child)
        if (range.to !== undefined && isEarlier(row, range.to) === (dir === 'b'))
          return { events, next: undefined }
        if (dir === 'f' && end !== undefined && !isEarlier(row, end)) return { events, next: undefined }
        const isShown = event !== undefined && !ignored.has(row.sender) && (await reader.mayRead(event))
        if (isShown && events.length === limit) return { events, next: place }
        place = { depth: row.depth, ord: dir === 'b' ? row.ord : row.ord + 1 }
        if (isShown) events.push(event)
      }
      if (rows.length <= limit) return { events, next: undefined }
    }
    return { events, next: place }
  }

  return {
    async page(viewer, input) {
      const { access } = await visibleEvent(context, viewer, input.roomId, input.eventId)
      const { room, end } = access
      const { dir, recurse = false } = input
      const limit = Math.min(Math.max(1, input.limit ?? DEFAULT_LIMIT), MAX_LIMIT)
      const from = earlierOf(await placeOf(store, room, input.from, dir), end)
      const to = input.to === undefined ? undefined : await placeOf(store, room, input.to, dir)
      const source = recurse ? await indirect(access, input) : direct(access, input)
      const { events, next } = await collect(source, access, dir, { from, to }, limit)
      const relations = await deps.aggregations.of(events, viewer, access)
      return {
        chunk: await views.view(events, viewer, { reader: access.reader, relations }),
        ...(next === undefined ? {} : { next_batch: topologicalToken(next) }),
        ...(input.from === undefined ? {} : { prev_batch: input.from }),
        ...(input.recurse === undefined ? {} : { recursion_depth: recurse ? MAX_DEPTH : 1 }),
      }
    },
  }
}
