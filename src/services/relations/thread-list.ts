import { invalidParam } from '../../core/errors.js'
import { redactedEvent } from '../../core/event/redact.js'
import { relationOf } from '../../core/event/relation.js'
import type { JsonObject } from '../../core/json/value.js'
import { threadPage } from '../../storage/tables/relations.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews, Viewer } from '../timeline/client-view.js'
import { NEWEST } from '../timeline/places.js'
import { accessOf } from '../timeline/room-access.js'
import { parsePagingToken, topologicalToken } from '../timeline/tokens.js'

export interface ThreadListInput {
  readonly roomId: string
  readonly include: 'all' | 'participated'
  readonly from?: string | undefined
  readonly limit?: number | undefined
}

export interface ThreadList {
  /**
   * One page of a room's threads, those that were last written in first. Throws M_FORBIDDEN for rooms that the user may not read,
   * M_INVALID_PARAM for foreign tokens.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#querying-threads-in-a-room
   */
  page(viewer: Viewer, input: ThreadListInput): Promise<JsonObject>
}

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100
/** Threads read at once. */
const MIN_PORTION = 50
/** Threads gone through for one page, however few of them are shown. */
const MAX_SCANNED = 2_000

export function createThreadList(deps: {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
}): ThreadList {
  const { context, views } = deps

  return {
    async page(viewer, input) {
      const access = await accessOf(context, viewer, input.roomId)
      const { room, reader, ignored } = access
      const limit = Math.min(Math.max(1, input.limit ?? DEFAULT_LIMIT), MAX_LIMIT)
      let place = NEWEST
      if (input.from !== undefined) {
        const parsed = parsePagingToken(input.from)
        if (!('depth' in parsed)) throw invalidParam('This token is not one of /threads')
        place = parsed
      }
      const roots: StoredEvent[] = []
      const relations = new Map<number, JsonObject>()
      const size = Math.max(limit, MIN_PORTION)
      let isEnd = false
      for (let scanned = 0; scanned < MAX_SCANNED && roots.length < limit && !isEnd; scanned += size) {
        const rows = await context.store.read('relations.threadPage', () =>
          threadPage(room.nid, place, viewer.userId, size),
        )
        const known = await context.events.byIds(rows.map((row) => row.root))
        const found = new Map<string, StoredEvent>()
        for (const { root, mine } of rows) {
          const event = known.get(root)
          // A root that has not come, or is of another room, or relates to something itself, makes no thread.
          if (event?.ord === undefined || event.roomNid !== room.nid || relationOf(event.event) !== undefined)
            continue
          const takesPart = mine === 1 || event.event.sender === viewer.userId
          if (input.include === 'participated' && !takesPart) continue
          if (await reader.mayRead(event)) found.set(root, event)
        }
        const sums = await deps.aggregations.of([...found.values()], viewer, access)
        isEnd = rows.length < size
        for (const [i, row] of rows.entries()) {
          place = { depth: row.depth, ord: row.ord }
          const event = found.get(row.root)
          const own = event === undefined ? undefined : sums.get(event.nid)
          // Without an event that the user sees there is no thread for them.
          if (event === undefined || own?.['m.thread'] === undefined) continue
          relations.set(event.nid, own)
          roots.push(event)
          if (roots.length < limit) continue
          isEnd &&= i === rows.length - 1
          break
        }
      }
      const shown = roots.map((item) =>
        // What the root of an ignored user says is not shown, as if the client had gathered the thread itself.
        ignored.has(item.event.sender) ? { ...item, event: redactedEvent(item.event) } : item,
      )
      return {
        chunk: await views.view(shown, viewer, { reader, relations }),
        ...(isEnd ? {} : { next_batch: topologicalToken(place) }),
      }
    },
  }
}
