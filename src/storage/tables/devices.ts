import { all, many, one, run, runChanges, type Tx } from '../tx.js'

export interface DeviceRow {
  readonly user_id: string
  readonly device_id: string
  readonly display_name: string | null
  readonly created_ts: number
  readonly last_seen_ts: number | null
  readonly last_seen_ip: string | null
  readonly last_seen_user_agent: string | null
}

const COLUMNS =
  'user_id, device_id, display_name, created_ts, last_seen_ts, last_seen_ip, last_seen_user_agent'

/** Post: the device exists; true when it is new, false when it was there and nothing changed. */
export function* insertDevice(row: {
  readonly userId: string
  readonly deviceId: string
  readonly displayName: string | null
  readonly createdTs: number
}): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO devices (user_id, device_id, display_name, created_ts) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    row.userId,
    row.deviceId,
    row.displayName,
    row.createdTs,
  )
  return changes === 1
}

export function* deviceById(userId: string, deviceId: string): Tx<DeviceRow | undefined> {
  return yield* one<DeviceRow>(
    `SELECT ${COLUMNS} FROM devices WHERE user_id = ? AND device_id = ?`,
    userId,
    deviceId,
  )
}

/** All devices of a user, by id. Bounded by the number that a user may have. */
export function* devicesOfUser(userId: string): Tx<readonly DeviceRow[]> {
  return yield* all<DeviceRow>(`SELECT ${COLUMNS} FROM devices WHERE user_id = ? ORDER BY device_id`, userId)
}

/** Those of the ids that exist. */
export function* existingDeviceIds(userId: string, deviceIds: readonly string[]): Tx<readonly string[]> {
  if (deviceIds.length === 0) return []
  const rows = yield* all<{ device_id: string }>(
    'SELECT device_id FROM devices WHERE user_id = ? AND device_id IN (??) ORDER BY device_id',
    userId,
    deviceIds,
  )
  return rows.map((row) => row.device_id)
}

/** The devices beyond the `keep` most recently active ones, one of which is always `except`. */
export function* surplusDevices(userId: string, keep: number, except: string): Tx<readonly string[]> {
  const rows = yield* all<{ device_id: string }>(
    `SELECT device_id FROM devices WHERE user_id = ? AND device_id <> ?
     ORDER BY COALESCE(last_seen_ts, created_ts) DESC, device_id LIMIT 1000 OFFSET ?`,
    userId,
    except,
    keep - 1,
  )
  return rows.map((row) => row.device_id)
}

/** Post: false when there is no such device. */
export function* renameDevice(userId: string, deviceId: string, displayName: string): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE devices SET display_name = ? WHERE user_id = ? AND device_id = ?',
    displayName,
    userId,
    deviceId,
  )
  return changes === 1
}

/** Post: the devices are gone; their tokens and keys are the business of the caller. */
export function* deleteDeviceRows(userId: string, deviceIds: readonly string[]): Tx<void> {
  if (deviceIds.length === 0) return
  yield* run('DELETE FROM devices WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}

export interface LastSeen {
  readonly userId: string
  readonly deviceId: string
  readonly ts: number
  readonly ip: string
  readonly userAgent: string | null
}

/** Post: devices that are gone meanwhile stay gone. */
export function* recordLastSeen(seen: readonly LastSeen[]): Tx<void> {
  yield* many(
    'UPDATE devices SET last_seen_ts = ?, last_seen_ip = ?, last_seen_user_agent = ? WHERE user_id = ? AND device_id = ?',
    seen.map((row) => [row.ts, row.ip, row.userAgent, row.userId, row.deviceId]),
  )
}
