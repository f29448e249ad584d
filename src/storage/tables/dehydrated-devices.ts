import { one, run, type Tx } from '../tx.js'

export interface DehydratedDeviceRow {
  readonly device_id: string
  /** JSON. */
  readonly data: string
}

export function* dehydratedDeviceOf(userId: string): Tx<DehydratedDeviceRow | undefined> {
  return yield* one<DehydratedDeviceRow>(
    'SELECT device_id, data FROM dehydrated_devices WHERE user_id = ?',
    userId,
  )
}

/** Pre: the user has none. */
export function* insertDehydratedDevice(userId: string, row: DehydratedDeviceRow): Tx<void> {
  yield* run(
    'INSERT INTO dehydrated_devices (user_id, device_id, data) VALUES (?, ?, ?)',
    userId,
    row.device_id,
    row.data,
  )
}

/** With a device goes what is kept of it. */
export function* deleteDehydratedDevices(userId: string, deviceIds: readonly string[]): Tx<void> {
  yield* run('DELETE FROM dehydrated_devices WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}
