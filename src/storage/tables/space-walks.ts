import { all, one, run, runChanges, type Tx } from '../tx.js'

/** Post: of the user's walks the newest `keep` are left, this one among them. `expiresTs`: milliseconds. */
export function* insertSpaceWalk(
  row: {
    readonly token: string
    readonly userId: string
    readonly expiresTs: number
    readonly walk: string
  },
  keep: number,
): Tx<void> {
  const others = yield* all<{ token: string }>(
    'SELECT token FROM space_walks WHERE user_id = ? ORDER BY expires_ts DESC, token',
    row.userId,
  )
  const old = others.slice(Math.max(0, keep - 1)).map(({ token }) => token)
  if (old.length > 0) yield* run('DELETE FROM space_walks WHERE token IN (??)', old)
  yield* run(
    'INSERT INTO space_walks (token, user_id, expires_ts, walk) VALUES (?, ?, ?, ?)',
    row.token,
    row.userId,
    row.expiresTs,
    row.walk,
  )
}

/** A walk of this user that is not over. */
export function* spaceWalk(token: string, userId: string, now: number): Tx<string | undefined> {
  const row = yield* one<{ walk: string }>(
    'SELECT walk FROM space_walks WHERE token = ? AND user_id = ? AND expires_ts > ?',
    token,
    userId,
    now,
  )
  return row?.walk
}

/** Gives how many there were, at most `limit`. */
export function* deleteSpaceWalks(now: number, limit: number): Tx<number> {
  return yield* runChanges(
    'DELETE FROM space_walks WHERE token IN (SELECT token FROM space_walks WHERE expires_ts <= ? LIMIT ?)',
    now,
    limit,
  )
}
