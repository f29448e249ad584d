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
  yield* many(
    `INSERT INTO unread (room_nid, thread, user_id, notify, highlight) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    users.map((user) => [roomNid, thread, user, notify, highlight]),
  )
}

export function* setUnread(row: UnreadRow): Tx<void> {
  yield* run(
    `INSERT INTO unread (room_nid, thread, user_id, notify, highlight) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, thread, user_id) DO UPDATE SET notify = excluded.notify, highlight = excluded.highlight`,
    row.room_nid,
    row.thread,
    row.user_id,
    row.notify,
    row.highlight,
  )
}

/** All threads' counts of one user in some rooms. */
export function* unreadOf(userId: string, roomNids: readonly number[]): Tx<readonly UnreadRow[]> {
  return yield* all<UnreadRow>(
    'SELECT * FROM unread WHERE user_id = ? AND room_nid IN (??)',
    userId,
    roomNids,
  )
}

/** Post: nothing is unread for the user in these threads. */
export function* clearUnread(userId: string, roomNid: number): Tx<void> {
  yield* run('DELETE FROM unread WHERE room_nid = ? AND user_id = ?', roomNid, userId)
}
