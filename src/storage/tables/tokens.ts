import { one, run, runChanges, type Tx } from '../tx.js'
import type { UserRow } from './users.js'

export interface AccessTokenRow {
  readonly token_hash: string
  readonly user_id: string
  readonly device_id: string
  readonly created_ts: number
  readonly expires_ts: number | null
  readonly refresh_hash: string | null
  readonly generation: number
  readonly used: number
}

/** What a request needs to know, in one read. */
export type TokenOwnerRow = Pick<
  AccessTokenRow,
  'user_id' | 'device_id' | 'expires_ts' | 'refresh_hash' | 'generation' | 'used'
> &
  Pick<UserRow, 'is_guest' | 'is_admin' | 'locked' | 'suspended' | 'deactivated'> & {
    /** What an administrator has set for the user's messages; null: nothing. */
    readonly per_second: number | null
    readonly burst: number | null
    /** When the account expires; null: never. */
    readonly account_expires_ts: number | null
  }

export function* tokenOwner(tokenHash: string): Tx<TokenOwnerRow | undefined> {
  return yield* one<TokenOwnerRow>(
    `SELECT t.user_id, t.device_id, t.expires_ts, t.refresh_hash, t.generation, t.used,
       u.is_guest, u.is_admin, u.locked, u.suspended, u.deactivated, o.per_second, o.burst,
       v.expires_ts AS account_expires_ts
     FROM access_tokens t JOIN users u ON u.user_id = t.user_id
     LEFT JOIN rate_limit_overrides o ON o.user_id = t.user_id
     LEFT JOIN account_validity v ON v.user_id = t.user_id WHERE t.token_hash = ?`,
    tokenHash,
  )
}

export function* insertAccessToken(row: Omit<AccessTokenRow, 'used'>): Tx<void> {
  yield* run(
    `INSERT INTO access_tokens (token_hash, user_id, device_id, created_ts, expires_ts, refresh_hash, generation, used)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0)`,
    row.token_hash,
    row.user_id,
    row.device_id,
    row.created_ts,
    row.expires_ts,
    row.refresh_hash,
    row.generation,
  )
}

/** Whether any access token issued with the refresh token has been used. */
export function* accessTokenUsed(refreshHash: string, userId: string, deviceId: string): Tx<boolean> {
  const row = yield* one(
    'SELECT 1 AS used FROM access_tokens WHERE user_id = ? AND device_id = ? AND refresh_hash = ? AND used = 1',
    userId,
    deviceId,
    refreshHash,
  )
  return row !== undefined
}

export function* markAccessTokenUsed(tokenHash: string): Tx<void> {
  yield* run('UPDATE access_tokens SET used = 1 WHERE token_hash = ?', tokenHash)
}

/** Post: the device's access tokens of earlier generations are gone. */
export function* deleteOlderAccessTokens(userId: string, deviceId: string, generation: number): Tx<number> {
  return yield* runChanges(
    'DELETE FROM access_tokens WHERE user_id = ? AND device_id = ? AND generation < ?',
    userId,
    deviceId,
    generation,
  )
}

/** Post: a refresh token and the access token issued with it are gone. */
export function* deleteTokenPair(refreshHash: string, userId: string, deviceId: string): Tx<void> {
  yield* run(
    'DELETE FROM access_tokens WHERE user_id = ? AND device_id = ? AND refresh_hash = ?',
    userId,
    deviceId,
    refreshHash,
  )
  yield* run('DELETE FROM refresh_tokens WHERE token_hash = ?', refreshHash)
}

/** Post: the devices have no tokens of either kind. */
export function* deleteDeviceTokens(userId: string, deviceIds: readonly string[]): Tx<void> {
  if (deviceIds.length === 0) return
  yield* run('DELETE FROM access_tokens WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
  yield* run('DELETE FROM refresh_tokens WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}

/** Post: every token of the device is expired, so that its client is asked to log in again and keeps its keys. */
export function* revokeDeviceTokens(userId: string, deviceId: string, now: number): Tx<void> {
  yield* run(
    'UPDATE access_tokens SET expires_ts = ? WHERE user_id = ? AND device_id = ? AND (expires_ts IS NULL OR expires_ts > ?)',
    now,
    userId,
    deviceId,
    now,
  )
  yield* run(
    'UPDATE refresh_tokens SET revoked = 1, superseded_ts = COALESCE(superseded_ts, ?) WHERE user_id = ? AND device_id = ?',
    now,
    userId,
    deviceId,
  )
}

export interface RefreshTokenRow {
  readonly token_hash: string
  readonly user_id: string
  readonly device_id: string
  readonly created_ts: number
  readonly expires_ts: number | null
  readonly generation: number
  readonly next_hash: string | null
  readonly superseded_ts: number | null
  readonly revoked: number
}

export function* refreshTokenByHash(tokenHash: string): Tx<RefreshTokenRow | undefined> {
  return yield* one<RefreshTokenRow>(
    `SELECT token_hash, user_id, device_id, created_ts, expires_ts, generation, next_hash, superseded_ts, revoked
     FROM refresh_tokens WHERE token_hash = ?`,
    tokenHash,
  )
}

export function* insertRefreshToken(
  row: Omit<RefreshTokenRow, 'next_hash' | 'superseded_ts' | 'revoked'>,
): Tx<void> {
  yield* run(
    `INSERT INTO refresh_tokens (token_hash, user_id, device_id, created_ts, expires_ts, generation, revoked)
     VALUES (?, ?, ?, ?, ?, ?, 0)`,
    row.token_hash,
    row.user_id,
    row.device_id,
    row.created_ts,
    row.expires_ts,
    row.generation,
  )
}

/** Names the successor of a refresh token. Post: false, and nothing changed, when another one was named meanwhile. */
export function* supersedeRefreshToken(
  tokenHash: string,
  expectedNext: string | null,
  next: string,
  now: number,
): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE refresh_tokens SET next_hash = ?, superseded_ts = ?
     WHERE token_hash = ? AND revoked = 0 AND COALESCE(next_hash, '') = ?`,
    next,
    now,
    tokenHash,
    expectedNext ?? '',
  )
  return changes === 1
}

/** Keeps a device's chain short: whatever is older than `generation` is forgotten, its reuse simply unknown. */
export function* deleteOlderRefreshTokens(userId: string, deviceId: string, generation: number): Tx<void> {
  yield* run(
    'DELETE FROM refresh_tokens WHERE user_id = ? AND device_id = ? AND generation < ?',
    userId,
    deviceId,
    generation,
  )
}

/** Post: tokens that ended before `before`, whatever ended them, are forgotten. */
export function* pruneTokens(before: number): Tx<void> {
  yield* run('DELETE FROM access_tokens WHERE expires_ts < ?', before)
  yield* run('DELETE FROM refresh_tokens WHERE superseded_ts < ?', before)
  yield* run('DELETE FROM login_tokens WHERE expires_ts < ?', before)
}

export function* insertLoginToken(tokenHash: string, userId: string, expiresTs: number): Tx<void> {
  yield* run(
    'INSERT INTO login_tokens (token_hash, user_id, expires_ts) VALUES (?, ?, ?)',
    tokenHash,
    userId,
    expiresTs,
  )
}

export function* countLoginTokens(userId: string, now: number): Tx<number> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM login_tokens WHERE user_id = ? AND expires_ts > ?',
    userId,
    now,
  )
  return row!.n
}

/** Post: the token is gone, whether or not it was still valid; so it serves one login at most. */
export function* takeLoginToken(
  tokenHash: string,
): Tx<{ readonly user_id: string; readonly expires_ts: number } | undefined> {
  return yield* one<{ user_id: string; expires_ts: number }>(
    'DELETE FROM login_tokens WHERE token_hash = ? RETURNING user_id, expires_ts',
    tokenHash,
  )
}

/** Post: the user can log in with none of the login tokens issued so far. */
export function* deleteLoginTokens(userId: string): Tx<void> {
  yield* run('DELETE FROM login_tokens WHERE user_id = ?', userId)
}
