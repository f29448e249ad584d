import { all, one, run, type Tx } from '../tx.js'

export interface ThreadSubscriptionRow {
  readonly room_id: string
  readonly root: string
  readonly pos: number
  /** 0 or 1. */
  readonly subscribed: number
  /** 0 or 1. */
  readonly automatic: number
  readonly ended_pos: number | null
}

const COLUMNS = 'room_id, root, pos, subscribed, automatic, ended_pos'

export function* threadSubscription(
  userId: string,
  roomId: string,
  root: string,
): Tx<ThreadSubscriptionRow | undefined> {
  return yield* one<ThreadSubscriptionRow>(
    `SELECT ${COLUMNS} FROM thread_subscriptions WHERE user_id = ? AND room_id = ? AND root = ?`,
    userId,
    roomId,
    root,
  )
}

export function* threadSubscriptionCount(userId: string): Tx<number> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM thread_subscriptions WHERE user_id = ?',
    userId,
  )
  return Number(row!.n)
}

export function* putThreadSubscription(userId: string, row: ThreadSubscriptionRow): Tx<void> {
  yield* run(
    `INSERT INTO thread_subscriptions (user_id, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (user_id, room_id, root) DO UPDATE SET pos = excluded.pos, subscribed = excluded.subscribed,
       automatic = excluded.automatic, ended_pos = excluded.ended_pos`,
    userId,
    row.room_id,
    row.root,
    row.pos,
    row.subscribed,
    row.automatic,
    row.ended_pos,
  )
}

/** Who follows a thread. */
export function* followersOfThread(roomId: string, root: string): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    'SELECT user_id FROM thread_subscriptions WHERE room_id = ? AND root = ? AND subscribed = 1',
    roomId,
    root,
  )
  return rows.map((row) => row.user_id)
}

/** The roots of the threads of a room that a user follows. */
export function* threadsFollowedIn(userId: string, roomId: string): Tx<readonly string[]> {
  const rows = yield* all<{ root: string }>(
    'SELECT root FROM thread_subscriptions WHERE user_id = ? AND room_id = ? AND subscribed = 1',
    userId,
    roomId,
  )
  return rows.map((row) => row.root)
}

/** What changed after `from`, up to and with `to`, the latest first. */
export function* threadSubscriptionsBetween(
  userId: string,
  from: number,
  to: number,
  limit: number,
): Tx<readonly ThreadSubscriptionRow[]> {
  return yield* all<ThreadSubscriptionRow>(
    `SELECT ${COLUMNS} FROM thread_subscriptions WHERE user_id = ? AND pos > ? AND pos <= ? ORDER BY pos DESC LIMIT ?`,
    userId,
    from,
    to,
    limit,
  )
}

export function* deleteThreadSubscriptionsOf(userId: string): Tx<void> {
  yield* run('DELETE FROM thread_subscriptions WHERE user_id = ?', userId)
}
