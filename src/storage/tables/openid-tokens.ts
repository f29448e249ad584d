import { one, run, type Tx } from '../tx.js'

export function* insertOpenidToken(row: {
  readonly tokenHash: string
  readonly userId: string
  readonly expiresTs: number
}): Tx<void> {
  yield* run(
    'INSERT INTO openid_tokens (token_hash, user_id, expires_ts) VALUES (?, ?, ?)',
    row.tokenHash,
    row.userId,
    row.expiresTs,
  )
}

/** Whose token it is, if it is still good and its account neither closed nor locked. */
export function* openidTokenOwner(tokenHash: string, now: number): Tx<string | undefined> {
  const row = yield* one<{ user_id: string }>(
    `SELECT t.user_id FROM openid_tokens t JOIN users u ON u.user_id = t.user_id
     WHERE t.token_hash = ? AND t.expires_ts > ? AND u.deactivated = 0 AND u.locked = 0`,
    tokenHash,
    now,
  )
  return row?.user_id
}

/** Post: the user has at most `keep` tokens, those that end last. */
export function* pruneOpenidTokensOf(userId: string, keep: number): Tx<void> {
  yield* run(
    `DELETE FROM openid_tokens WHERE user_id = ? AND token_hash NOT IN (
       SELECT token_hash FROM openid_tokens WHERE user_id = ? ORDER BY expires_ts DESC, token_hash LIMIT ?)`,
    userId,
    userId,
    keep,
  )
}

export function* deleteOpenidToken(tokenHash: string): Tx<void> {
  yield* run('DELETE FROM openid_tokens WHERE token_hash = ?', tokenHash)
}

export function* deleteExpiredOpenidTokens(now: number): Tx<void> {
  yield* run('DELETE FROM openid_tokens WHERE expires_ts <= ?', now)
}
