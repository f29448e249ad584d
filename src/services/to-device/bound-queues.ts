import * as rows from '../../storage/tables/to-device.js'
import type { Tx } from '../../storage/tx.js'

/** What may wait for one device. */
export interface QueueLimits {
  readonly maxMessages: number
  /** Of contents. */
  readonly maxBytes: number
}

export interface DroppedMessages {
  readonly userId: string
  readonly deviceId: string
  readonly messages: number
}

const ROUNDS = 20

/**
 * Drops the oldest messages of overfull queues of these users, a tenth of what is allowed at a time.
 * NOTSPEC: the specification lets queues grow without end; a device that never comes back would fill the disk.
 */
export function* boundQueues(userIds: readonly string[], limits: QueueLimits): Tx<DroppedMessages[]> {
  const dropped: DroppedMessages[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const full = yield* rows.overfullQueues(userIds, limits.maxMessages, limits.maxBytes)
    if (full.length === 0) break
    for (const queue of full) {
      const step = Math.max(1, Math.ceil(Math.min(queue.messages, limits.maxMessages) / 10))
      const excess = Math.max(0, queue.messages - limits.maxMessages)
      const { user_id: userId, device_id: deviceId } = queue
      const pos = yield* rows.toDevicePositionAt(userId, deviceId, excess + step - 1)
      const messages = yield* rows.deleteToDeviceUpTo(userId, deviceId, pos ?? Number.MAX_SAFE_INTEGER)
      dropped.push({ userId, deviceId, messages })
    }
  }
  return dropped
}
