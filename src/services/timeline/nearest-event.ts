import { eventsByTime } from '../../storage/tables/events.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

const PORTION = 50
/** Events gone through that the asker may not see. */
const MAX_SCANNED = 1_000

/**
 * The event of a room next to a moment (milliseconds), at it included: the first one after it (`f`) or the last one before (`b`) of those
 * that may be shown. Undefined where there is none, or none among very many.
 */
export async function nearestEvent(
  context: Pick<RoomsContext, 'store' | 'events'>,
  room: Pick<RoomSnapshot, 'nid'>,
  ts: number,
  dir: 'f' | 'b',
  mayRead: (event: StoredEvent) => Promise<boolean>,
): Promise<StoredEvent | undefined> {
  let place = { ts, nid: dir === 'f' ? 0 : Number.MAX_SAFE_INTEGER }
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += PORTION) {
    const rows = await context.store.read('timeline.byTime', () =>
      eventsByTime(room.nid, place, dir, PORTION),
    )
    const events = await context.events.byNids(rows.map((row) => row.nid))
    for (const row of rows) {
      const event = events.get(row.nid)
      if (event !== undefined && (await mayRead(event))) return event
      place = row
    }
    if (rows.length < PORTION) return undefined
  }
  return undefined
}
