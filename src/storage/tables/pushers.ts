import { all, one, run, type Tx } from '../tx.js'

/** A way to tell a user of events outside of /sync. Times are milliseconds since 1970. */
export interface PusherRow {
  readonly pusher_id: number
  readonly user_id: string
  readonly app_id: string
  readonly pushkey: string
  /** `http` or `email`. */
  readonly kind: string
  readonly app_display_name: string
  readonly device_display_name: string
  readonly profile_tag: string | null
  readonly lang: string
  /** JSON. */
  readonly data: string
  /** The session that it goes with; null: the account's own. */
  readonly device_id: string | null
  readonly pushkey_ts: number
  readonly since_pos: number
  readonly failing_since: number | null
  readonly failures: number
  readonly retry_at: number
  readonly badge: number
  readonly badge_due: number
  readonly mailed_ts: number
  readonly pause_ms: number
  readonly unsubscribe: string | null
}

/** What a client says of a pusher. */
export type PusherWish = Pick<
  PusherRow,
  | 'user_id'
  | 'app_id'
  | 'pushkey'
  | 'kind'
  | 'app_display_name'
  | 'device_display_name'
  | 'profile_tag'
  | 'lang'
  | 'data'
  | 'device_id'
  | 'pushkey_ts'
  | 'since_pos'
  | 'unsubscribe'
>

/** Post: the user's pusher of this app and key is as wished; what waits for it and what it was told stays. Gives its id. */
export function* upsertPusher(wish: PusherWish): Tx<number> {
  const row = yield* one<{ pusher_id: number }>(
    `INSERT INTO pushers (user_id, app_id, pushkey, kind, app_display_name, device_display_name, profile_tag, lang, data, device_id,
       pushkey_ts, since_pos, unsubscribe, failing_since, failures, retry_at, badge, badge_due, mailed_ts, pause_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, 0, 0, 0, 0, 0)
     ON CONFLICT (app_id, pushkey, user_id) DO UPDATE SET kind = excluded.kind, app_display_name = excluded.app_display_name,
       device_display_name = excluded.device_display_name, profile_tag = excluded.profile_tag, lang = excluded.lang,
       data = excluded.data, device_id = excluded.device_id, pushkey_ts = excluded.pushkey_ts, failing_since = NULL,
       failures = 0, retry_at = 0, unsubscribe = COALESCE(pushers.unsubscribe, excluded.unsubscribe)
     RETURNING pusher_id`,
    wish.user_id,
    wish.app_id,
    wish.pushkey,
    wish.kind,
    wish.app_display_name,
    wish.device_display_name,
    wish.profile_tag,
    wish.lang,
    wish.data,
    wish.device_id,
    wish.pushkey_ts,
    wish.since_pos,
    wish.unsubscribe,
  )
  return row!.pusher_id
}

export function* pusherById(pusherId: number): Tx<PusherRow | undefined> {
  return yield* one<PusherRow>('SELECT * FROM pushers WHERE pusher_id = ?', pusherId)
}

export function* pushersOf(userId: string): Tx<readonly PusherRow[]> {
  return yield* all<PusherRow>('SELECT * FROM pushers WHERE user_id = ? ORDER BY pusher_id', userId)
}

/** But for those of locked accounts and of those that have expired, which are told nothing. Pre: at most a few hundred users. */
export function* pushersOfUsers(
  userIds: readonly string[],
): Tx<readonly Pick<PusherRow, 'pusher_id' | 'user_id' | 'since_pos' | 'badge'>[]> {
  if (userIds.length === 0) return []
  return yield* all(
    `SELECT p.pusher_id, p.user_id, p.since_pos, p.badge FROM pushers p
     WHERE p.user_id IN (??) AND NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = p.user_id AND u.locked = 1)
       AND NOT EXISTS (SELECT 1 FROM account_validity v WHERE v.user_id = p.user_id AND v.expired = 1)`,
    userIds,
  )
}

/** Everybody who has a pusher. */
export function* usersWithPushers(): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>('SELECT DISTINCT user_id FROM pushers')
  return rows.map((row) => row.user_id)
}

export function* countPushers(userId: string): Tx<number> {
  return (yield* one<{ n: number }>('SELECT COUNT(*) AS n FROM pushers WHERE user_id = ?', userId))!.n
}

/** Pushers that have something to do, now or after their pause. */
export function* busyPushers(): Tx<readonly number[]> {
  const rows = yield* all<{ pusher_id: number }>(
    'SELECT DISTINCT pusher_id FROM push_queue UNION SELECT pusher_id FROM pushers WHERE badge_due > 0',
  )
  return rows.map((row) => row.pusher_id)
}

/** Post: these pushers are gone, and what waited for them. */
export function* deletePushers(pusherIds: readonly number[]): Tx<void> {
  if (pusherIds.length === 0) return
  yield* run('DELETE FROM push_queue WHERE pusher_id IN (??)', pusherIds)
  yield* run('DELETE FROM pushers WHERE pusher_id IN (??)', pusherIds)
}

const idsOf = (rows: readonly { readonly pusher_id: number }[]): number[] => rows.map((row) => row.pusher_id)

/** Gives whether there was one. */
export function* deletePusher(userId: string, appId: string, pushkey: string): Tx<boolean> {
  const rows = yield* all<{ pusher_id: number }>(
    'SELECT pusher_id FROM pushers WHERE app_id = ? AND pushkey = ? AND user_id = ?',
    appId,
    pushkey,
    userId,
  )
  yield* deletePushers(idsOf(rows))
  return rows.length > 0
}

/** Post: nobody else has a pusher of this app and key. */
export function* deletePushersOfOthers(userId: string, appId: string, pushkey: string): Tx<void> {
  const rows = yield* all<{ pusher_id: number }>(
    'SELECT pusher_id FROM pushers WHERE app_id = ? AND pushkey = ? AND user_id <> ?',
    appId,
    pushkey,
    userId,
  )
  yield* deletePushers(idsOf(rows))
}

/** With deleted devices go the pushers that they have set. */
export function* deletePushersOfDevices(userId: string, deviceIds: readonly string[]): Tx<void> {
  const rows = yield* all<{ pusher_id: number }>(
    'SELECT pusher_id FROM pushers WHERE user_id = ? AND device_id IN (??)',
    userId,
    deviceIds,
  )
  yield* deletePushers(idsOf(rows))
}

/** What waits to be told to a user is told no more; the pushers stay. */
export function* forgetPushesOf(userId: string): Tx<void> {
  yield* run(
    'DELETE FROM push_queue WHERE pusher_id IN (SELECT pusher_id FROM pushers WHERE user_id = ?)',
    userId,
  )
  yield* run('UPDATE pushers SET badge_due = 0 WHERE user_id = ?', userId)
}

export function* deletePushersOfUser(userId: string): Tx<void> {
  yield* deletePushers(idsOf(yield* pushersOf(userId)))
}

export function* pusherByUnsubscribe(token: string): Tx<PusherRow | undefined> {
  return yield* one<PusherRow>('SELECT * FROM pushers WHERE unsubscribe = ?', token)
}

/** Post: its gateway has failed so often, and is left alone until then. */
export function* markPusherFailing(
  pusherId: number,
  failure: { readonly since: number; readonly failures: number; readonly retryAt: number },
): Tx<void> {
  yield* run(
    'UPDATE pushers SET failing_since = ?, failures = ?, retry_at = ? WHERE pusher_id = ?',
    failure.since,
    failure.failures,
    failure.retryAt,
    pusherId,
  )
}

/** Post: the pusher works, and its gateway knows the number. `due`: what `badge_due` was before the number was counted. */
export function* markPusherTold(pusherId: number, badge: number, due: number): Tx<void> {
  yield* run(
    `UPDATE pushers SET failing_since = NULL, failures = 0, retry_at = 0, badge = ?,
       badge_due = CASE WHEN badge_due = ? THEN 0 ELSE badge_due END WHERE pusher_id = ?`,
    badge,
    due,
    pusherId,
  )
}

/** Post: the number of unread messages of these users is told again where it was told to be more than none, or is being told. */
export function* markBadgesDue(userIds: readonly string[]): Tx<readonly number[]> {
  if (userIds.length === 0) return []
  const rows = yield* all<{ pusher_id: number }>(
    `UPDATE pushers SET badge_due = badge_due + 1 WHERE user_id IN (??) AND kind = 'http' AND
       (badge > 0 OR EXISTS (SELECT 1 FROM push_queue q WHERE q.pusher_id = pushers.pusher_id))
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.user_id = pushers.user_id AND u.locked = 1)
       AND NOT EXISTS (SELECT 1 FROM account_validity v WHERE v.user_id = pushers.user_id AND v.expired = 1)
     RETURNING pusher_id`,
    userIds,
  )
  return idsOf(rows)
}

/** Post: a mail went out now, and the next waits so long. */
export function* markPusherMailed(pusherId: number, now: number, pauseMs: number): Tx<void> {
  yield* run('UPDATE pushers SET mailed_ts = ?, pause_ms = ? WHERE pusher_id = ?', now, pauseMs, pusherId)
}

/** The rooms that a user has joined. */
export function* joinedRoomNids(userId: string): Tx<readonly number[]> {
  const rows = yield* all<{ room_nid: number }>(
    `SELECT room_nid FROM memberships WHERE user_id = ? AND membership = 'join'`,
    userId,
  )
  return rows.map((row) => row.room_nid)
}
