import { all, run, runChanges, type Tx } from '../tx.js'

export interface ProfileFieldRow {
  readonly field: string
  /** JSON. */
  readonly value: string
}

export function* profileOf(userId: string): Tx<readonly ProfileFieldRow[]> {
  return yield* all<ProfileFieldRow>(
    'SELECT field, value FROM profiles WHERE user_id = ? ORDER BY field',
    userId,
  )
}

/** One field of many users: (user id, JSON). Pre: at most a few hundred users. */
export function* profileFieldOfUsers(
  userIds: readonly string[],
  fields: readonly string[],
): Tx<readonly { readonly user_id: string; readonly field: string; readonly value: string }[]> {
  if (userIds.length === 0 || fields.length === 0) return []
  return yield* all<{ user_id: string; field: string; value: string }>(
    'SELECT user_id, field, value FROM profiles WHERE user_id IN (??) AND field IN (??)',
    userIds,
    fields,
  )
}

export function* setProfileField(userId: string, field: string, value: string): Tx<void> {
  yield* run(
    `INSERT INTO profiles (user_id, field, value) VALUES (?, ?, ?)
     ON CONFLICT (user_id, field) DO UPDATE SET value = excluded.value`,
    userId,
    field,
    value,
  )
}

/** Post: false when there was no such field. */
export function* deleteProfileField(userId: string, field: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM profiles WHERE user_id = ? AND field = ?', userId, field)) === 1
}

/** Post: nothing is left of it, not even which fields it had. */
export function* deleteProfile(userId: string): Tx<void> {
  yield* run('DELETE FROM profiles WHERE user_id = ?', userId)
  yield* run('DELETE FROM profile_changes WHERE user_id = ?', userId)
}
