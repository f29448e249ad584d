import { all, many, one, run, runChanges, type Tx } from '../tx.js'

/** Identity keys of devices: our users' own, and the cache of other servers' users. */
export interface DeviceKeysRow {
  readonly user_id: string
  readonly device_id: string
  /** Canonical JSON. */
  readonly json: string
}

export interface RemoteDeviceRow {
  readonly user_id: string
  readonly device_id: string
  readonly display_name: string | null
  /** Null for a device that has announced no keys. */
  readonly json: string | null
}

export interface RemoteDeviceListRow {
  readonly user_id: string
  readonly server: string
  /** JSON array: the last few stream ids that were applied. */
  readonly recent_ids: string
  /** 0 when the cache is current, else how often it was found to be behind. */
  readonly stale: number
  readonly failures: number
  readonly retry_at: number
}

/** A local device, with or without keys. */
export interface LocalDeviceRow {
  readonly user_id: string
  readonly device_id: string
  readonly display_name: string | null
}

/** All devices of these local users. */
export function* localDevicesOf(userIds: readonly string[]): Tx<readonly LocalDeviceRow[]> {
  return yield* all<LocalDeviceRow>(
    'SELECT user_id, device_id, display_name FROM devices WHERE user_id IN (??)',
    userIds,
  )
}

/** Post: true when something changed. */
export function* upsertDeviceKeys(userId: string, deviceId: string, json: string): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO device_keys (user_id, device_id, json) VALUES (?, ?, ?)
     ON CONFLICT (user_id, device_id) DO UPDATE SET json = excluded.json WHERE device_keys.json <> excluded.json`,
    userId,
    deviceId,
    json,
  )
  return changes > 0
}

export function* deviceKeysOf(userId: string, deviceId: string): Tx<string | undefined> {
  const row = yield* one<{ json: string }>(
    'SELECT json FROM device_keys WHERE user_id = ? AND device_id = ?',
    userId,
    deviceId,
  )
  return row?.json
}

export function* deviceKeysOfUsers(userIds: readonly string[]): Tx<readonly DeviceKeysRow[]> {
  return yield* all<DeviceKeysRow>(
    'SELECT user_id, device_id, json FROM device_keys WHERE user_id IN (??)',
    userIds,
  )
}

export function* deleteDeviceKeys(userId: string, deviceIds: readonly string[]): Tx<void> {
  yield* run('DELETE FROM device_keys WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}

/** The lists of these users, as far as we follow them. */
export function* remoteDeviceLists(userIds: readonly string[]): Tx<readonly RemoteDeviceListRow[]> {
  return yield* all<RemoteDeviceListRow>('SELECT * FROM remote_device_lists WHERE user_id IN (??)', userIds)
}

/** Post: the list is followed, and to be fetched; its count of reasons is one higher. Gives that count. */
export function* markRemoteListStale(userId: string, server: string, retryAt: number): Tx<number> {
  const row = yield* one<{ stale: number }>(
    `INSERT INTO remote_device_lists (user_id, server, recent_ids, stale, failures, retry_at) VALUES (?, ?, '[]', 1, 0, ?)
     ON CONFLICT (user_id) DO UPDATE SET stale = remote_device_lists.stale + 1 RETURNING stale`,
    userId,
    server,
    retryAt,
  )
  return row!.stale
}

/**
 * Post: the list has these stream ids; it is current, unless it was found stale again since `stale` was read: then it is
 * fetched again, not before `retryAt`. Gives false, and changes nothing, where the list is followed no more.
 */
export function* saveRemoteList(
  userId: string,
  recentIds: string,
  stale: number,
  retryAt: number,
): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE remote_device_lists SET recent_ids = ?, failures = 0, retry_at = ?,
       stale = CASE WHEN stale = ? THEN 0 ELSE stale END
     WHERE user_id = ?`,
    recentIds,
    retryAt,
    stale,
    userId,
  )
  return changes > 0
}

export function* saveRemoteListFailure(userId: string, failures: number, retryAt: number): Tx<void> {
  yield* run(
    'UPDATE remote_device_lists SET failures = ?, retry_at = ? WHERE user_id = ?',
    failures,
    retryAt,
    userId,
  )
}

export function* dueRemoteLists(now: number, limit: number): Tx<readonly RemoteDeviceListRow[]> {
  return yield* all<RemoteDeviceListRow>(
    // What is put off for more than a day was put off before the clock stepped back.
    `SELECT * FROM remote_device_lists WHERE stale > 0 AND (retry_at <= ? OR retry_at > ?)
     ORDER BY retry_at LIMIT ?`,
    now,
    now + 86_400_000,
    limit,
  )
}

export function* remoteDevicesOf(userIds: readonly string[]): Tx<readonly RemoteDeviceRow[]> {
  return yield* all<RemoteDeviceRow>(
    'SELECT user_id, device_id, display_name, json FROM remote_devices WHERE user_id IN (??)',
    userIds,
  )
}

export function* countRemoteDevices(userId: string): Tx<number> {
  const row = yield* one<{ n: number }>('SELECT COUNT(*) AS n FROM remote_devices WHERE user_id = ?', userId)
  return row?.n ?? 0
}

export function* upsertRemoteDevices(rows: readonly RemoteDeviceRow[]): Tx<void> {
  yield* many(
    `INSERT INTO remote_devices (user_id, device_id, display_name, json) VALUES (?, ?, ?, ?)
     ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = excluded.display_name, json = excluded.json`,
    rows.map((row) => [row.user_id, row.device_id, row.display_name, row.json]),
  )
}

export function* deleteRemoteDevices(userId: string, deviceIds: readonly string[]): Tx<void> {
  yield* run('DELETE FROM remote_devices WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}

/** Post: of these users, all that we cached is gone, cross-signing keys included. */
export function* forgetRemoteUsers(userIds: readonly string[]): Tx<void> {
  if (userIds.length === 0) return
  yield* run('DELETE FROM remote_device_lists WHERE user_id IN (??)', userIds)
  yield* run('DELETE FROM remote_devices WHERE user_id IN (??)', userIds)
  yield* run('DELETE FROM cross_signing_keys WHERE user_id IN (??)', userIds)
}

const SHARES_NO_ROOM = `NOT EXISTS (
  SELECT 1 FROM memberships m JOIN memberships o ON o.room_nid = m.room_nid AND o.local = 1 AND o.membership = 'join'
  WHERE m.user_id = l.user_id AND m.membership = 'join')`

/** Of `userIds`, those that we follow and who share no room with any local user. */
export function* followedWithoutSharing(userIds: readonly string[]): Tx<readonly string[]> {
  if (userIds.length === 0) return []
  const rows = yield* all<{ user_id: string }>(
    `SELECT l.user_id FROM remote_device_lists l WHERE l.user_id IN (??) AND ${SHARES_NO_ROOM}`,
    userIds,
  )
  return rows.map((row) => row.user_id)
}

/** Of the members of a room, those that we follow and who share no room with any local user. */
export function* followedMembersWithoutSharing(roomNid: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT l.user_id FROM memberships r JOIN remote_device_lists l ON l.user_id = r.user_id
     WHERE r.room_nid = ? AND r.local = 0 AND ${SHARES_NO_ROOM}`,
    roomNid,
  )
  return rows.map((row) => row.user_id)
}

/** Of `userIds`, those who have joined a room that a local user has joined. */
export function* sharingWithAnyLocal(userIds: readonly string[]): Tx<ReadonlySet<string>> {
  if (userIds.length === 0) return new Set()
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT m.user_id FROM memberships m WHERE m.user_id IN (??) AND m.membership = 'join' AND EXISTS (
       SELECT 1 FROM memberships o WHERE o.room_nid = m.room_nid AND o.local = 1 AND o.membership = 'join')`,
    userIds,
  )
  return new Set(rows.map((row) => row.user_id))
}
