import { isObject, type Json, type JsonObject } from '../../../core/json/value.js'
import { ignoredUsersOf } from '../../account-data/ignored-users.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { ClientViews } from '../../timeline/client-view.js'
import { parseStickyToken, stickyToken } from '../../timeline/tokens.js'
import { stickyBatch, stickyViews } from '../sticky-part.js'
import { UP_TO_DATE } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { NextState } from './next-state.js'

export const STICKY_EXTENSION = 'org.matrix.msc4354.sticky_events'

const NOTHING = { json: {}, hasNews: false, complete: true } as const

/**
 * Events that stick, in all rooms that the user is in: also in those that no list has in view. They come in portions, and the client says
 * by `since` which it has; one that does not is told of each once. `rooms` is what the answer has of rooms.
 * Throws M_INVALID_PARAM. NOTSPEC: MSC4480.
 */
export async function stickyPart(
  { viewer, request, state, from, upTo }: SlidingFrame,
  next: NextState,
  rooms: JsonObject,
  { context, views }: { readonly context: RoomsContext; readonly views: ClientViews },
): Promise<{
  readonly json: Readonly<Record<string, Json>>
  readonly hasNews: boolean
  readonly complete: boolean
}> {
  const mark = state.meta.sticky ?? null
  if (request.sticky === undefined) {
    if (mark === UP_TO_DATE && from > 0) next.setMeta({ sticky: from })
    return NOTHING
  }
  const { limit, since } = request.sticky
  const told = mark === UP_TO_DATE ? from : (mark ?? 0)
  // A client of a database that is lost may know more than there is.
  const start = since === undefined ? told : Math.min(parseStickyToken(since), upTo)
  next.setMeta({ sticky: UP_TO_DATE })
  const { userId } = viewer
  const now = context.clock.now()
  const { batch, ignored } = await context.store.read('sliding.sticky', function* () {
    const found = yield* stickyBatch(userId, { from: start, to: upTo, now, limit })
    return {
      batch: found,
      ignored: found.byRoom.size === 0 ? new Set<string>() : yield* ignoredUsersOf(userId),
    }
  })
  if (batch.byRoom.size === 0) return NOTHING
  const shown = shownIn(rooms)
  const byRoom: [string, JsonObject][] = []
  for (const rows of batch.byRoom.values()) {
    const events = await stickyViews(rows, new Set(), { context, views, viewer, ignored, options: {} })
    const fresh = events.filter((event) => !shown.has(event['event_id'] as string))
    if (fresh.length > 0)
      byRoom.push([
        fresh[0]!['room_id'] as string,
        { events: fresh.map(({ room_id: _room, ...event }) => event) },
      ])
  }
  const json = { rooms: Object.fromEntries(byRoom), next_batch: stickyToken(batch.upTo) }
  return { json: { [STICKY_EXTENSION]: json }, hasNews: true, complete: batch.upTo >= upTo }
}

/** Ids of all events in the timelines of an answer. */
function shownIn(rooms: JsonObject): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const room of Object.values(rooms)) {
    const timeline = isObject(room) ? room['timeline'] : undefined
    for (const event of Array.isArray(timeline) ? (timeline as readonly JsonObject[]) : [])
      ids.add(event['event_id'] as string)
  }
  return ids
}
