import { eventsWithGaps, liveEventNids } from '../../storage/tables/events.js'
import { receiptsBetween, type ReceiptRow } from '../../storage/tables/receipts.js'
import { stateDeltas, type StateDeltaRow } from '../../storage/tables/state.js'
import type { Store, Tx } from '../../storage/tx.js'

/** Some of the latest events of a room up to a position, newest first. */
export interface TimelinePage {
  readonly rows: readonly { readonly nid: number; readonly pos: number; readonly depth: number }[]
  /** Those before which there are events that are elsewhere. */
  readonly gaps: ReadonlySet<number>
}

/** What came into a room in (since, upTo], whoever asks. */
export interface RoomNews {
  readonly latest: TimelinePage
  readonly deltas: readonly StateDeltaRow[]
  readonly receipts: readonly ReceiptRow[]
}

export interface RoomNewsReader {
  /** `size`: events at most. Pre: 0 < since <= upTo, and `upTo` is on disk. */
  read(roomNid: number, since: number, upTo: number, size: number): Promise<RoomNews>
}

/** Post: at most `size` events after `since`. */
export function* timelinePage(roomNid: number, since: number, upTo: number, size: number): Tx<TimelinePage> {
  const rows = yield* liveEventNids(roomNid, since, upTo, size)
  const gaps = yield* eventsWithGaps(
    roomNid,
    rows.map((row) => row.nid),
  )
  return { rows, gaps: new Set(gaps) }
}

/**
 * One event wakes all members of its room, and most of them come with the same token: what they all read is read once. It is kept for one
 * turn of the event loop, so nobody gets it who asked after something had changed that has no position.
 */
export function createRoomNewsReader(store: Store): RoomNewsReader {
  let shared = new Map<string, Promise<RoomNews>>()

  return {
    read(roomNid, since, upTo, size) {
      const key = `${roomNid} ${since} ${upTo} ${size}`
      let news = shared.get(key)
      if (news === undefined) {
        news = store.read('sync.roomNews', function* () {
          return {
            latest: yield* timelinePage(roomNid, since, upTo, size),
            deltas: yield* stateDeltas(roomNid, since, upTo),
            receipts: yield* receiptsBetween(roomNid, since, upTo),
          }
        })
        if (shared.size === 0) setImmediate(() => (shared = new Map()))
        shared.set(key, news)
      }
      return news
    },
  }
}
