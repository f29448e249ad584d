import { all, many, run, runChanges, type Tx } from '../tx.js'

export interface StickyRow {
  readonly event_nid: number
  readonly room_nid: number
  readonly sender: string
  /** 0 or 1: of a user of this server. */
  readonly own: number
  /** Milliseconds since 1970. */
  readonly until_ts: number
  /** Null while clients are not told of it. */
  readonly pos: number | null
}

/** What one client is told of an event. */
export type StickyNews = Pick<StickyRow, 'event_nid' | 'room_nid'> & { readonly pos: number }

export function* insertStickyEvents(rows: readonly StickyRow[]): Tx<void> {
  yield* many(
    `INSERT INTO sticky_events (event_nid, room_nid, sender, own, until_ts, pos) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (event_nid) DO NOTHING`,
    rows.map((row) => [row.event_nid, row.room_nid, row.sender, row.own, row.until_ts, row.pos]),
  )
}

/**
 * What sticks at `now` in the rooms that the user has joined and is new in (from, to], the earliest first; of a room in which their
 * membership is new everything.
 */
export function* stickyNews(
  userId: string,
  range: { readonly from: number; readonly to: number; readonly now: number; readonly limit: number },
): Tx<readonly StickyNews[]> {
  return yield* all<StickyNews>(
    `SELECT s.event_nid, s.room_nid, s.pos FROM sticky_events s
     JOIN memberships m ON m.room_nid = s.room_nid AND m.user_id = ? AND m.membership = 'join'
     WHERE s.pos <= ? AND s.until_ts > ? AND (s.pos > ? OR m.pos > ?) ORDER BY s.pos, s.event_nid LIMIT ?`,
    userId,
    range.to,
    range.now,
    range.from,
    range.from,
    range.limit,
  )
}

/** Until when events stick, of those that do. */
export function* stickyUntilOf(
  eventNids: readonly number[],
): Tx<readonly { readonly event_nid: number; readonly until_ts: number }[]> {
  return yield* all('SELECT event_nid, until_ts FROM sticky_events WHERE event_nid IN (??)', eventNids)
}

/** Post: what this server's users have said in the room and still sticks waits for the other servers, too. */
export function* enqueueOwnSticky(roomNid: number, destinations: readonly string[], now: number): Tx<void> {
  for (const destination of destinations) {
    yield* run(
      `INSERT INTO outbox_pdus (destination, event_nid)
       SELECT ?, event_nid FROM sticky_events WHERE room_nid = ? AND own = 1 AND until_ts > ? AND pos IS NOT NULL
       ON CONFLICT DO NOTHING`,
      destination,
      roomNid,
      now,
    )
  }
}

/** Post: clients are told no more of what these users said. */
export function* hideStickyOf(roomNid: number, senders: readonly string[]): Tx<void> {
  yield* run(
    'UPDATE sticky_events SET pos = NULL WHERE room_nid = ? AND sender IN (??) AND pos IS NOT NULL',
    roomNid,
    senders,
  )
}

/** Nids of what users said that sticks at `now` and of which clients are not told. */
export function* hiddenStickyOf(
  roomNid: number,
  senders: readonly string[],
  now: number,
): Tx<readonly number[]> {
  const rows = yield* all<{ event_nid: number }>(
    `SELECT event_nid FROM sticky_events WHERE room_nid = ? AND sender IN (??) AND pos IS NULL AND until_ts > ?
     ORDER BY event_nid`,
    roomNid,
    senders,
    now,
  )
  return rows.map((row) => row.event_nid)
}

/** Post: clients are told of the event from `pos` on. */
export function* showSticky(eventNid: number, pos: number): Tx<void> {
  yield* run('UPDATE sticky_events SET pos = ? WHERE event_nid = ? AND pos IS NULL', pos, eventNid)
}

/** Gives how many there were. */
export function* deleteStickyUntil(ts: number): Tx<number> {
  return yield* runChanges('DELETE FROM sticky_events WHERE until_ts <= ?', ts)
}
