import type { RoomEvent } from '../../core/event/types.js'
import { readUpTo } from '../../storage/tables/receipts.js'
import { joinedRoomNids } from '../../storage/tables/pushers.js'
import { unreadOf } from '../../storage/tables/unread.js'
import type { Tx } from '../../storage/tx.js'
import { threadOf } from '../push/thread-of.js'
import type { EventStore } from '../rooms/event-store.js'

/** What a user has not read, and how far they have read in one room. */
export interface Reading {
  /** Messages, over all rooms that the user has joined. */
  readonly unread: number
  readonly isJoined: boolean
  /** Threads of the room in which something is unread; the empty string is its main timeline. */
  readonly unreadThreads: ReadonlySet<string>
  readonly receipts: readonly { readonly thread: string; readonly event_pos: number }[]
}

/** `roomNid`: the room that is asked about, if any. */
export function* readingOf(userId: string, roomNid: number | undefined): Tx<Reading> {
  const rooms = yield* joinedRoomNids(userId)
  const counts = rooms.length === 0 ? [] : yield* unreadOf(userId, rooms)
  return {
    unread: counts.reduce((sum, count) => sum + count.notify, 0),
    isJoined: roomNid !== undefined && rooms.includes(roomNid),
    unreadThreads: new Set(
      counts.filter((count) => count.room_nid === roomNid && count.notify > 0).map((count) => count.thread),
    ),
    receipts: roomNid === undefined ? [] : yield* readUpTo(roomNid, userId),
  }
}

/** The thread of an event, by what is stored. */
export const storedThreadOf = (events: Pick<EventStore, 'byId'>, event: RoomEvent): Promise<string> =>
  threadOf(event, async (id) => (await events.byId(id))?.event)

/**
 * Whether a receipt says that the event at a position was read.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts
 */
export function isReadTo(receipts: Reading['receipts'], thread: string, pos: number): boolean {
  const name = thread === '' ? 'main' : thread
  return receipts.some((row) => (row.thread === '' || row.thread === name) && row.event_pos >= pos)
}
