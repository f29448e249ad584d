import { all, many, manyChanges, one, run, runChanges, type Tx } from '../tx.js'

export interface OneTimeKeyRow {
  readonly nid: number
  readonly user_id: string
  readonly device_id: string
  readonly algorithm: string
  readonly key_id: string
  readonly json: string
}

export interface FallbackKeyRow {
  readonly user_id: string
  readonly device_id: string
  readonly algorithm: string
  readonly key_id: string
  readonly json: string
  readonly used: number
}

export interface KnownKey {
  readonly algorithm: string
  readonly key_id: string
  readonly json: string
  readonly claimed_ts: number | null
}

/** One text for a (user, device): user ids have no space behind their first colon, so that no two pairs meet. */
export const deviceRef = (userId: string, deviceId: string): string => `${userId} ${deviceId}`

/** Keys of one device that have one of these ids, claimed ones included. */
export function* knownOneTimeKeys(
  userId: string,
  deviceId: string,
  keyIds: readonly string[],
): Tx<readonly KnownKey[]> {
  return yield* all<KnownKey>(
    'SELECT algorithm, key_id, json, claimed_ts FROM one_time_keys WHERE user_id = ? AND device_id = ? AND key_id IN (??)',
    userId,
    deviceId,
    keyIds,
  )
}

/**
 * Pre: none of them is unclaimed on the server.
 * Post: they are unclaimed, and handed out after all older ones.
 */
export function* insertOneTimeKeys(
  userId: string,
  deviceId: string,
  keys: readonly { readonly algorithm: string; readonly keyId: string; readonly json: string }[],
): Tx<void> {
  yield* many(
    'DELETE FROM one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND key_id = ? AND claimed_ts IS NOT NULL',
    keys.map((key) => [userId, deviceId, key.algorithm, key.keyId]),
  )
  yield* many(
    'INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, json) VALUES (?, ?, ?, ?, ?)',
    keys.map((key) => [userId, deviceId, key.algorithm, key.keyId, key.json]),
  )
}

/** How many unclaimed keys a device has of each algorithm. */
export function* oneTimeKeyCounts(
  userId: string,
  deviceId: string,
): Tx<readonly { readonly algorithm: string; readonly n: number }[]> {
  return yield* all(
    `SELECT algorithm, COUNT(*) AS n FROM one_time_keys
     WHERE user_id = ? AND device_id = ? AND claimed_ts IS NULL GROUP BY algorithm`,
    userId,
    deviceId,
  )
}

/** The oldest unclaimed key of this algorithm of each of these devices. `refs` are made by `deviceRef`. */
export function* oldestOneTimeKeys(
  userIds: readonly string[],
  refs: readonly string[],
  algorithm: string,
): Tx<readonly OneTimeKeyRow[]> {
  return yield* all<OneTimeKeyRow>(
    `SELECT k.nid, k.user_id, k.device_id, k.algorithm, k.key_id, k.json
     FROM key_count_changes d JOIN one_time_keys k ON k.nid = (
       SELECT MIN(f.nid) FROM one_time_keys f
       WHERE f.user_id = d.user_id AND f.device_id = d.device_id AND f.algorithm = ? AND f.claimed_ts IS NULL)
     WHERE d.user_id IN (??) AND d.user_id || ' ' || d.device_id IN (??)`,
    algorithm,
    userIds,
    refs,
  )
}

/** Post: these are claimed. Gives those that this call claimed; another transaction may have been faster for the rest. */
export function* claimOneTimeKeys(nids: readonly number[], now: number): Tx<ReadonlySet<number>> {
  if (nids.length === 0) return new Set()
  const rows = yield* all<{ nid: number }>(
    'UPDATE one_time_keys SET claimed_ts = ? WHERE nid IN (??) AND claimed_ts IS NULL RETURNING nid',
    now,
    nids,
  )
  return new Set(rows.map((row) => row.nid))
}

/** Forgets claimed keys; at most `limit` of them. Gives how many. */
export function* deleteClaimedOneTimeKeys(before: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM one_time_keys WHERE nid IN (
       SELECT nid FROM one_time_keys WHERE claimed_ts < ? ORDER BY claimed_ts LIMIT ?)`,
    before,
    limit,
  )
}

export function* fallbackKeysOfDevice(userId: string, deviceId: string): Tx<readonly FallbackKeyRow[]> {
  return yield* all<FallbackKeyRow>(
    'SELECT * FROM fallback_keys WHERE user_id = ? AND device_id = ?',
    userId,
    deviceId,
  )
}

export function* fallbackKeysOfDevices(
  userIds: readonly string[],
  refs: readonly string[],
  algorithm: string,
): Tx<readonly FallbackKeyRow[]> {
  return yield* all<FallbackKeyRow>(
    `SELECT * FROM fallback_keys
     WHERE user_id IN (??) AND user_id || ' ' || device_id IN (??) AND algorithm = ?`,
    userIds,
    refs,
    algorithm,
  )
}

/** Post: the key is the device's fallback key of its algorithm, and unused if it is another one than before. */
export function* saveFallbackKeys(
  userId: string,
  deviceId: string,
  keys: readonly { readonly algorithm: string; readonly keyId: string; readonly json: string }[],
): Tx<number> {
  return yield* manyChanges(
    `INSERT INTO fallback_keys (user_id, device_id, algorithm, key_id, json, used) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, json = excluded.json, used = 0
     WHERE fallback_keys.key_id <> excluded.key_id OR fallback_keys.json <> excluded.json`,
    keys.map((key) => [userId, deviceId, key.algorithm, key.keyId, key.json, 0]),
  )
}

export function* markFallbackKeysUsed(keys: readonly FallbackKeyRow[]): Tx<void> {
  yield* many(
    'UPDATE fallback_keys SET used = 1 WHERE user_id = ? AND device_id = ? AND algorithm = ? AND key_id = ?',
    keys.map((key) => [key.user_id, key.device_id, key.algorithm, key.key_id]),
  )
}

/** Post: /sync of these devices tells their counts again. Must precede any key of the device. */
export function* recordKeyCountChange(
  devices: readonly { readonly userId: string; readonly deviceId: string }[],
  pos: number,
): Tx<void> {
  yield* many(
    `INSERT INTO key_count_changes (user_id, device_id, pos) VALUES (?, ?, ?)
     ON CONFLICT (user_id, device_id) DO UPDATE SET pos = excluded.pos`,
    devices.map((device) => [device.userId, device.deviceId, pos]),
  )
}

export function* keyCountPosition(userId: string, deviceId: string): Tx<number | undefined> {
  const row = yield* one<{ pos: number }>(
    'SELECT pos FROM key_count_changes WHERE user_id = ? AND device_id = ?',
    userId,
    deviceId,
  )
  return row?.pos
}

/** One-time and fallback keys. */
export function* deleteKeysOfDevices(userId: string, deviceIds: readonly string[]): Tx<void> {
  for (const table of ['one_time_keys', 'fallback_keys', 'key_count_changes'])
    yield* run(`DELETE FROM ${table} WHERE user_id = ? AND device_id IN (??)`, userId, deviceIds)
}
