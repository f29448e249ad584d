import { one, type Tx } from '../tx.js'

/** What one look tells of a device's part of /sync between two positions. */
export interface DeviceNews {
  /** 1: messages to the device wait. */
  readonly to_device: number
  /** 1: somebody's keys or membership changed; perhaps it concerns the user. 0: nobody's that could. */
  readonly lists: number
  /** When the device's key counts last changed; null: never. */
  readonly counts_pos: number | null
}

/**
 * Most answers of /sync carry nothing of encryption: one statement finds that out, where the details take ten.
 * Messages to the device are looked for after `toDeviceFrom`, all else after `from`, both up to and with `to`.
 */
export function* deviceNews(
  userId: string,
  deviceId: string,
  toDeviceFrom: number,
  from: number,
  to: number,
): Tx<DeviceNews> {
  const row = yield* one<DeviceNews>(
    `SELECT
       CASE WHEN EXISTS (SELECT 1 FROM to_device_messages WHERE user_id = ? AND device_id = ? AND pos > ? AND pos <= ?)
         THEN 1 ELSE 0 END AS to_device,
       CASE WHEN EXISTS (SELECT 1 FROM device_list_changes WHERE pos > ? AND pos <= ?)
           OR EXISTS (SELECT 1 FROM user_signature_changes WHERE user_id = ? AND pos > ? AND pos <= ?)
           OR EXISTS (SELECT 1 FROM state_deltas WHERE pos > ? AND pos <= ? AND type = 'm.room.member')
           OR EXISTS (SELECT 1 FROM memberships WHERE user_id = ? AND pos > ?)
           OR EXISTS (SELECT 1 FROM rooms WHERE whole_pos > 0 AND whole_pos > ? AND whole_pos <= ?)
         THEN 1 ELSE 0 END AS lists,
       (SELECT pos FROM key_count_changes WHERE user_id = ? AND device_id = ?) AS counts_pos`,
    userId,
    deviceId,
    toDeviceFrom,
    to,
    from,
    to,
    userId,
    from,
    to,
    from,
    to,
    userId,
    from,
    from,
    to,
    userId,
    deviceId,
  )
  return row!
}
