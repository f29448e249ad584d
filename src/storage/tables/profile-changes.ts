import { all, run, type Tx } from '../tx.js'

/** Pre: `pos` was allocated in this body. Post: the field changed there; earlier changes of it are forgotten. */
export function* putProfileChange(userId: string, field: string, pos: number): Tx<void> {
  yield* run(
    `INSERT INTO profile_changes (user_id, field, pos) VALUES (?, ?, ?)
     ON CONFLICT (user_id, field) DO UPDATE SET pos = excluded.pos`,
    userId,
    field,
    pos,
  )
}

export interface ProfileChange {
  readonly user_id: string
  readonly field: string
  readonly pos: number
  /** JSON as of now; null: the field was removed. */
  readonly value: string | null
}

/** Fields that changed after `from`, up to and with `to`, the earliest first; of everybody. */
export function* profileChangesBetween(
  from: number,
  to: number,
  limit: number,
): Tx<readonly { readonly user_id: string; readonly pos: number }[]> {
  return yield* all(
    'SELECT user_id, pos FROM profile_changes WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?',
    from,
    to,
    limit,
  )
}

/** The same of some users, with the values. Pre: a few hundred users at most. */
export function* profileChangesOf(
  userIds: readonly string[],
  from: number,
  to: number,
): Tx<readonly ProfileChange[]> {
  if (userIds.length === 0) return []
  return yield* all<ProfileChange>(
    `SELECT c.user_id, c.field, c.pos, p.value FROM profile_changes c
     LEFT JOIN profiles p ON p.user_id = c.user_id AND p.field = c.field
     WHERE c.user_id IN (??) AND c.pos > ? AND c.pos <= ? ORDER BY c.pos`,
    userIds,
    from,
    to,
  )
}

/** Whole profiles, or some of their fields, by user. Pre: a few hundred users at most. */
export function* profilesOf(
  userIds: readonly string[],
  fields: readonly string[] | undefined,
): Tx<readonly { readonly user_id: string; readonly field: string; readonly value: string }[]> {
  if (userIds.length === 0 || fields?.length === 0) return []
  return fields === undefined
    ? yield* all('SELECT user_id, field, value FROM profiles WHERE user_id IN (??) ORDER BY user_id', userIds)
    : yield* all(
        'SELECT user_id, field, value FROM profiles WHERE user_id IN (??) AND field IN (??) ORDER BY user_id',
        userIds,
        fields,
      )
}

/** Users of this server who have joined one of some rooms. */
export function* localMembersOfAny(roomNids: readonly number[], limit: number): Tx<readonly string[]> {
  if (roomNids.length === 0) return []
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM memberships WHERE room_nid IN (??) AND local = 1 AND membership = 'join' LIMIT ?`,
    roomNids,
    limit,
  )
  return rows.map((row) => row.user_id)
}
