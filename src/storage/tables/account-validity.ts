import { all, many, one, run, runChanges, type Tx } from '../tx.js'

export interface AccountValidityRow {
  readonly user_id: string
  /** Milliseconds since 1970. */
  readonly expires_ts: number
  readonly reminded: number
  readonly wanted: number
  readonly expired: number
  readonly mailed_ts: number
}

/** Accounts that may expire: those of people, in use. */
const OF_PEOPLE = `u.deactivated = 0 AND u.is_guest = 0 AND u.appservice_id IS NULL`

export function* accountValidityOf(userId: string): Tx<AccountValidityRow | undefined> {
  return yield* one<AccountValidityRow>('SELECT * FROM account_validity WHERE user_id = ?', userId)
}

/** Accounts of people without a day, by user id from after `after` on. */
export function* usersWithoutValidity(after: string, limit: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT u.user_id FROM users u WHERE u.user_id > ? AND ${OF_PEOPLE}
       AND NOT EXISTS (SELECT 1 FROM account_validity v WHERE v.user_id = u.user_id) ORDER BY u.user_id LIMIT ?`,
    after,
    limit,
  )
  return rows.map((row) => row.user_id)
}

/** Post: those that have none yet expire then. */
export function* insertAccountValidity(
  rows: readonly { readonly userId: string; readonly expiresTs: number }[],
): Tx<void> {
  yield* many(
    `INSERT INTO account_validity (user_id, expires_ts, reminded, wanted, expired, mailed_ts) VALUES (?, ?, 0, 1, 0, 0)
     ON CONFLICT DO NOTHING`,
    rows.map(({ userId, expiresTs }) => [userId, expiresTs]),
  )
}

/** Post: the account expires then, no reminder of that is behind, and it has not expired. */
export function* setAccountValidity(userId: string, expiresTs: number, wanted: boolean): Tx<void> {
  yield* run(
    `INSERT INTO account_validity (user_id, expires_ts, reminded, wanted, expired, mailed_ts) VALUES (?, ?, 0, ?, 0, 0)
     ON CONFLICT (user_id) DO UPDATE SET expires_ts = excluded.expires_ts, reminded = 0, wanted = excluded.wanted, expired = 0`,
    userId,
    expiresTs,
    Number(wanted),
  )
}

export function* deleteAccountValidity(userIds: readonly string[]): Tx<void> {
  if (userIds.length === 0) return
  yield* run('DELETE FROM account_validity WHERE user_id IN (??)', userIds)
  yield* run('DELETE FROM account_renewals WHERE user_id IN (??)', userIds)
}

/** Accounts that expire after `now`, but not after `until`, and of whose reminders at most `reminded` are behind. */
export function* accountsToRemind(
  now: number,
  until: number,
  reminded: number,
  limit: number,
): Tx<readonly AccountValidityRow[]> {
  return yield* all<AccountValidityRow>(
    `SELECT v.* FROM account_validity v JOIN users u ON u.user_id = v.user_id
     WHERE v.expires_ts > ? AND v.expires_ts <= ? AND v.reminded <= ? AND v.wanted = 1 AND ${OF_PEOPLE}
     ORDER BY v.expires_ts LIMIT ?`,
    now,
    until,
    reminded,
    limit,
  )
}

/** Post: so many reminders are behind. False where they were already, or the account was renewed meanwhile. */
export function* setReminded(row: AccountValidityRow, reminded: number): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE account_validity SET reminded = ? WHERE user_id = ? AND reminded = ? AND expires_ts = ?',
    reminded,
    row.user_id,
    row.reminded,
    row.expires_ts,
  )
  return changes === 1
}

export function* setMailed(userId: string, ts: number): Tx<void> {
  yield* run('UPDATE account_validity SET mailed_ts = ? WHERE user_id = ?', ts, userId)
}

/** Accounts whose day has come, and that nothing was done about. */
export function* accountsToExpire(now: number, limit: number): Tx<readonly AccountValidityRow[]> {
  return yield* all<AccountValidityRow>(
    `SELECT v.* FROM account_validity v JOIN users u ON u.user_id = v.user_id
     WHERE v.expires_ts <= ? AND v.expired = 0 AND ${OF_PEOPLE} ORDER BY v.expires_ts LIMIT ?`,
    now,
    limit,
  )
}

/** Post: false where the account was renewed meanwhile. */
export function* markExpired(userId: string, expiresTs: number): Tx<boolean> {
  return (
    (yield* runChanges(
      'UPDATE account_validity SET expired = 1 WHERE user_id = ? AND expires_ts = ? AND expired = 0',
      userId,
      expiresTs,
    )) === 1
  )
}

/** Where accounts expire no more: nobody is held for expired. */
export function* unmarkAllExpired(): Tx<void> {
  yield* run('UPDATE account_validity SET expired = 0 WHERE expired = 1')
}

/** Accounts that expired at that time or before, and are not closed yet. */
export function* accountsLongExpired(until: number, limit: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT v.user_id FROM account_validity v JOIN users u ON u.user_id = v.user_id
     WHERE v.expires_ts <= ? AND v.expired = 1 AND ${OF_PEOPLE} ORDER BY v.expires_ts LIMIT ?`,
    until,
    limit,
  )
  return rows.map((row) => row.user_id)
}

/** Those of the users whose expiry was carried out. Pre: at most a few hundred. */
export function* expiredAmong(userIds: readonly string[]): Tx<ReadonlySet<string>> {
  if (userIds.length === 0) return new Set()
  const rows = yield* all<{ user_id: string }>(
    'SELECT user_id FROM account_validity WHERE user_id IN (??) AND expired = 1',
    userIds,
  )
  return new Set(rows.map((row) => row.user_id))
}

export interface RenewalRow {
  readonly user_id: string
  readonly created_ts: number
  readonly used_ts: number | null
}

export function* insertRenewal(tokenHash: string, userId: string, createdTs: number): Tx<void> {
  yield* run(
    'INSERT INTO account_renewals (token_hash, user_id, created_ts, used_ts) VALUES (?, ?, ?, NULL)',
    tokenHash,
    userId,
    createdTs,
  )
}

export function* renewalByHash(tokenHash: string): Tx<RenewalRow | undefined> {
  return yield* one<RenewalRow>(
    'SELECT user_id, created_ts, used_ts FROM account_renewals WHERE token_hash = ?',
    tokenHash,
  )
}

/** Post: no link that was sent so far renews the account once more. */
export function* useRenewals(userId: string, ts: number): Tx<void> {
  yield* run('UPDATE account_renewals SET used_ts = ? WHERE user_id = ? AND used_ts IS NULL', ts, userId)
}

/** Post: links older than that are gone; at most `limit` of them at once. Gives how many. */
export function* pruneRenewals(before: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM account_renewals WHERE token_hash IN
       (SELECT token_hash FROM account_renewals WHERE created_ts < ? LIMIT ?)`,
    before,
    limit,
  )
}
