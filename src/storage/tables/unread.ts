import { all, many, run, type Tx } from '../tx.js'

export interface UnreadRow {
  readonly room_nid: number
  /** The thread's root, or the empty string for the main timeline. */
  readonly thread: string
  readonly user_id: string
  readonly notify: number
  readonly highlight: number
}

/** Post: the users' counts in this room and thread are higher by so much. */
export function* raiseUnread(
  roomNid: number,
  thread: string,
  users: readonly string[],
  notify: number,
  highlight: number,
): Tx<void> {
  const changed = yield* run(
    `UPDATE unread SET notify = notify + ?, highlight = highlight + ?
     WHERE room_nid = ? AND thread = ? AND user_id IN (??)`,
    notify,
    highlight,
    roomNid,
    thread,
    users,
  )
  if (changed === users.length) return
  // The first message in a large room: one statement for all its members, where one for each would take a second.
  const added = yield* run(
    `INSERT INTO unread (room_nid, thread, user_id, notify, highlight)
     SELECT m.room_nid, CAST(? AS TEXT), m.user_id, CAST(? AS BIGINT), CAST(? AS BIGINT) FROM memberships m
     WHERE m.room_nid = ? AND m.user_id IN (??) ON CONFLICT DO NOTHING`,
    thread,
    notify,
    highlight,
    roomNid,
    users,
  )
  if (changed + added === users.length) return
  yield* many(
    `INSERT INTO unread (room_nid, thread, user_id, notify, highlight) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    users.map((user) => [roomNid, thread, user, notify, highlight]),
  )
}

/** Post: these counts stand, whatever they were. */
export function* setUnread(rows: readonly UnreadRow[]): Tx<void> {
  yield* many(
    `INSERT INTO unread (room_nid, thread, user_id, notify, highlight) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, thread, user_id) DO UPDATE SET notify = excluded.notify, highlight = excluded.highlight`,
    rows.map((row) => [row.room_nid, row.thread, row.user_id, row.notify, row.highlight]),
  )
}

/** Post: nothing is unread for the users in this thread. The rows stay: the next message raises them again. */
export function* markThreadRead(roomNid: number, thread: string, users: readonly string[]): Tx<void> {
  yield* run(
    `UPDATE unread SET notify = 0, highlight = 0 WHERE room_nid = ? AND thread = ? AND user_id IN (??) AND notify > 0`,
    roomNid,
    thread,
    users,
  )
}

/** Post: nothing is counted for the users in this room: they have left. */
export function* forgetUnread(roomNid: number, users: readonly string[]): Tx<void> {
  yield* run('DELETE FROM unread WHERE room_nid = ? AND user_id IN (??)', roomNid, users)
}

/** All threads' counts of one user in some rooms. */
export function* unreadOf(userId: string, roomNids: readonly number[]): Tx<readonly UnreadRow[]> {
  return yield* all<UnreadRow>(
    'SELECT * FROM unread WHERE user_id = ? AND room_nid IN (??)',
    userId,
    roomNids,
  )
}

/** Post: nothing is unread for the user in the room. */
export function* clearUnread(userId: string, roomNid: number): Tx<void> {
  yield* run('DELETE FROM unread WHERE room_nid = ? AND user_id = ?', roomNid, userId)
}
