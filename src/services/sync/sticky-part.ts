import { appendTo } from '../../core/append-to.js'
import type { JsonObject } from '../../core/json/value.js'
import { stickyNews, type StickyNews } from '../../storage/tables/sticky-events.js'
import type { Tx } from '../../storage/tx.js'
import type { RoomsContext } from '../rooms/context.js'
import type { ClientViews, ViewOptions, Viewer } from '../timeline/client-view.js'

/** What sticks and is new to a client, as far as one answer tells it. */
export interface StickyBatch {
  /** By the nid of the room, in the order in which they came. */
  readonly byRoom: ReadonlyMap<number, readonly StickyNews[]>
  /** Everything up to there is in it. */
  readonly upTo: number
}

/** Events of one answer. */
export const MAX_STICKY = 500

/** What is new in (from, to] and sticks at `now`, the earliest first. */
export function* stickyBatch(
  userId: string,
  range: { readonly from: number; readonly to: number; readonly now: number; readonly limit: number },
): Tx<StickyBatch> {
  const { from, to, limit } = range
  const rows = yield* stickyNews(userId, { ...range, limit: limit + 1 })
  const byRoom = new Map<number, StickyNews[]>()
  for (const row of rows.slice(0, limit)) appendTo(byRoom, row.room_nid, row)
  return { byRoom, upTo: rows.length > limit ? Math.max(from, rows[limit - 1]!.pos) : to }
}

/**
 * The events of one room as the client is shown them, without those that stand in its timeline anyway and those of whom the user ignores.
 * History visibility has no say: whoever is in the room may see what sticks. NOTSPEC: MSC4354.
 */
export async function stickyViews(
  rows: readonly StickyNews[],
  shown: ReadonlySet<number>,
  reader: {
    readonly context: Pick<RoomsContext, 'events'>
    readonly views: ClientViews
    readonly viewer: Viewer
    readonly ignored: ReadonlySet<string>
    readonly options: ViewOptions
  },
): Promise<JsonObject[]> {
  const nids = rows.map((row) => row.event_nid).filter((nid) => !shown.has(nid))
  if (nids.length === 0) return []
  const found = await reader.context.events.byNids(nids)
  const events = nids.flatMap((nid) => found.get(nid) ?? [])
  return reader.views.view(
    events.filter(({ event }) => !reader.ignored.has(event.sender)),
    reader.viewer,
    reader.options,
  )
}
