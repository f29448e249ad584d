import { all, one, run, runChanges, type Tx } from '../tx.js'

export interface ReceiptRow {
  readonly room_nid: number
  readonly user_id: string
  /** `m.read` or `m.read.private`. */
  readonly receipt_type: string
  /** The thread's root, `main`, or the empty string for a receipt of no thread. */
  readonly thread: string
  readonly event_id: string
  /** Position of the event in the live stream; 0 when it is not known here. */
  readonly event_pos: number
  readonly ts: number
  readonly pos: number
}

/** Post: the receipt is stored unless a later event was read before; false then. */
export function* putReceipt(row: ReceiptRow): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO receipts (room_nid, user_id, receipt_type, thread, event_id, event_pos, ts, pos) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, user_id, receipt_type, thread) DO UPDATE SET event_id = excluded.event_id,
       event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos
     WHERE excluded.event_pos > receipts.event_pos`,
    row.room_nid,
    row.user_id,
    row.receipt_type,
    row.thread,
    row.event_id,
    row.event_pos,
    row.ts,
    row.pos,
  )
  return changes === 1
}

/** Receipts of a room that changed in (from, to]. */
export function* receiptsBetween(roomNid: number, from: number, to: number): Tx<readonly ReceiptRow[]> {
  return yield* all<ReceiptRow>(
    'SELECT * FROM receipts WHERE room_nid = ? AND pos > ? AND pos <= ? ORDER BY pos',
    roomNid,
    from,
    to,
  )
}

/** Receipts of all rooms that changed in (from, to], in order. */
export function* receiptsAfter(from: number, to: number, limit: number): Tx<readonly ReceiptRow[]> {
  return yield* all<ReceiptRow>(
    'SELECT * FROM receipts WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?',
    from,
    to,
    limit,
  )
}

/** Rooms that the user has joined with a receipt that changed in (from, to]. Costs by the user's rooms, not by all receipts. */
export function* roomsWithReceipts(userId: string, from: number, to: number): Tx<readonly number[]> {
  const rows = yield* all<{ room_nid: number }>(
    `SELECT m.room_nid FROM memberships m WHERE m.user_id = ? AND m.membership = 'join'
       AND EXISTS (SELECT 1 FROM receipts r WHERE r.room_nid = m.room_nid AND r.pos > ? AND r.pos <= ?)`,
    userId,
    from,
    to,
  )
  return rows.map((row) => row.room_nid)
}

/** How far a user has read a room, in each thread: the greatest position over public and private receipts. */
export function* readUpTo(
  roomNid: number,
  userId: string,
): Tx<readonly { readonly thread: string; readonly event_pos: number }[]> {
  return yield* all(
    'SELECT thread, MAX(event_pos) AS event_pos FROM receipts WHERE room_nid = ? AND user_id = ? GROUP BY thread',
    roomNid,
    userId,
  )
}

export function* receipt(
  roomNid: number,
  userId: string,
  receiptType: string,
  thread: string,
): Tx<ReceiptRow | undefined> {
  return yield* one<ReceiptRow>(
    'SELECT * FROM receipts WHERE room_nid = ? AND user_id = ? AND receipt_type = ? AND thread = ?',
    roomNid,
    userId,
    receiptType,
    thread,
  )
}

/** How many receipts a user has in a room. */
export function* countReceipts(roomNid: number, userId: string): Tx<number> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM receipts WHERE room_nid = ? AND user_id = ?',
    roomNid,
    userId,
  )
  return row!.n
}

/**
 * Receipts that changed in (from, to], of all rooms of the server: whose and where. Undefined where there are more than `limit`: to go
 * by the user's rooms is cheaper then.
 */
export function* fewReceiptsBetween(
  from: number,
  to: number,
  limit: number,
): Tx<readonly { readonly room_nid: number; readonly user_id: string }[] | undefined> {
  const rows = yield* all<{ room_nid: number; user_id: string }>(
    'SELECT room_nid, user_id FROM receipts WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?',
    from,
    to,
    limit + 1,
  )
  return rows.length > limit ? undefined : rows
}

/** Rooms in which the user's own receipts changed in (from, to]. Costs by the user's rooms. */
export function* roomsWithOwnReceipts(userId: string, from: number, to: number): Tx<readonly number[]> {
  const rows = yield* all<{ room_nid: number }>(
    `SELECT m.room_nid FROM memberships m WHERE m.user_id = ? AND m.membership = 'join'
       AND EXISTS (SELECT 1 FROM receipts r WHERE r.room_nid = m.room_nid AND r.user_id = m.user_id AND r.pos > ? AND r.pos <= ?)`,
    userId,
    from,
    to,
  )
  return rows.map((row) => row.room_nid)
}

/** A user's own receipts in a room and those of everybody for some events, up to `to`. */
export function* receiptsForEvents(
  roomNid: number,
  userId: string,
  eventIds: readonly string[],
  to: number,
  limit: number,
): Tx<readonly ReceiptRow[]> {
  return yield* all<ReceiptRow>(
    `SELECT * FROM receipts WHERE room_nid = ? AND (user_id = ? OR event_id IN (??)) AND pos <= ? ORDER BY pos LIMIT ?`,
    roomNid,
    userId,
    eventIds,
    to,
    limit,
  )
}

/** Post: nothing says what the user has read, in the rooms that they ever were in. */
export function* deleteReceiptsOf(userId: string): Tx<void> {
  yield* run(
    'DELETE FROM receipts WHERE user_id = ? AND room_nid IN (SELECT room_nid FROM memberships WHERE user_id = ?)',
    userId,
    userId,
  )
}
