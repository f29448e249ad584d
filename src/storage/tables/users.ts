import { all, one, run, runChanges, type Tx } from '../tx.js'

/** Flags are 0 or 1. */
export interface UserRow {
  readonly user_id: string
  readonly password_hash: string | null
  readonly created_ts: number
  readonly is_guest: number
  readonly is_admin: number
  readonly locked: number
  readonly suspended: number
  readonly deactivated: number
  readonly erased: number
  readonly cleanup_pending: number
  readonly appservice_id: string | null
}

const COLUMNS =
  'user_id, password_hash, created_ts, is_guest, is_admin, locked, suspended, deactivated, erased, cleanup_pending, appservice_id'

/** Post: true when the account is new, false when the id was taken and nothing changed. */
export function* insertUser(row: {
  readonly userId: string
  readonly passwordHash: string | null
  readonly createdTs: number
  readonly isGuest: boolean
  readonly isAdmin: boolean
  readonly appserviceId: string | null
}): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO users (${COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?) ON CONFLICT DO NOTHING`,
    row.userId,
    row.passwordHash,
    row.createdTs,
    Number(row.isGuest),
    Number(row.isAdmin),
    row.appserviceId,
  )
  return changes === 1
}

export function* userById(userId: string): Tx<UserRow | undefined> {
  return yield* one<UserRow>(`SELECT ${COLUMNS} FROM users WHERE user_id = ?`, userId)
}

/** Whether anybody ever had an account. */
export function* hasUsers(): Tx<boolean> {
  return (yield* one('SELECT 1 AS found FROM users LIMIT 1')) !== undefined
}

/** Pre: at most a few hundred ids. */
export function* usersByIds(userIds: readonly string[]): Tx<readonly UserRow[]> {
  if (userIds.length === 0) return []
  return yield* all<UserRow>(`SELECT ${COLUMNS} FROM users WHERE user_id IN (??)`, userIds)
}

/** Post: false when there is no such account, or it is deactivated. */
export function* setPasswordHash(userId: string, hash: string): Tx<boolean> {
  return (
    (yield* runChanges(
      'UPDATE users SET password_hash = ? WHERE user_id = ? AND deactivated = 0',
      hash,
      userId,
    )) === 1
  )
}

/** Replaces a hash unless the password was changed meanwhile. */
export function* replacePasswordHash(userId: string, old: string, hash: string): Tx<void> {
  yield* run('UPDATE users SET password_hash = ? WHERE user_id = ? AND password_hash = ?', hash, userId, old)
}

/** Post: the guest is an ordinary account with a password; false when there is no such active guest. */
export function* upgradeGuest(userId: string, passwordHash: string): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE users SET is_guest = 0, password_hash = ? WHERE user_id = ? AND is_guest = 1 AND deactivated = 0 AND locked = 0',
    passwordHash,
    userId,
  )
  return changes === 1
}

export type UserFlag = 'locked' | 'suspended' | 'is_admin'

/** Post: false when there is no such account. */
export function* setUserFlag(userId: string, flag: UserFlag, value: boolean): Tx<boolean> {
  return (yield* runChanges(`UPDATE users SET ${flag} = ? WHERE user_id = ?`, Number(value), userId)) === 1
}

/** Post: no password, no administrator's rights, clean-up pending. False when there was no such active account. */
export function* deactivateUser(userId: string, erase: boolean): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE users SET deactivated = 1, erased = ?, cleanup_pending = 1, password_hash = NULL, is_admin = 0
     WHERE user_id = ? AND deactivated = 0`,
    Number(erase),
    userId,
  )
  return changes === 1
}

/**
 * Post: a closed account is open, with this password; false where there is none, it was erased, or it still leaves
 * its rooms.
 */
export function* reactivateUser(userId: string, passwordHash: string): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE users SET deactivated = 0, password_hash = ?, locked = 0, suspended = 0
     WHERE user_id = ? AND deactivated = 1 AND erased = 0 AND cleanup_pending = 0`,
    passwordHash,
    userId,
  )
  return changes === 1
}

/** Accounts of people, ascending, after one. */
export function* peopleAfter(after: string, limit: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT user_id FROM users
     WHERE user_id > ? AND deactivated = 0 AND is_guest = 0 AND appservice_id IS NULL ORDER BY user_id LIMIT ?`,
    after,
    limit,
  )
  return rows.map((row) => row.user_id)
}

/** Accounts that may be used and are those of administrators, ascending. */
export function* activeAdministrators(limit: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT user_id FROM users WHERE is_admin = 1 AND deactivated = 0 AND locked = 0 AND suspended = 0
     ORDER BY user_id LIMIT ?`,
    limit,
  )
  return rows.map((row) => row.user_id)
}

export function* usersToCleanUp(limit: number): Tx<readonly UserRow[]> {
  return yield* all<UserRow>(
    `SELECT ${COLUMNS} FROM users WHERE cleanup_pending = 1 ORDER BY user_id LIMIT ?`,
    limit,
  )
}

export function* setCleanedUp(userId: string): Tx<void> {
  yield* run('UPDATE users SET cleanup_pending = 0 WHERE user_id = ?', userId)
}
