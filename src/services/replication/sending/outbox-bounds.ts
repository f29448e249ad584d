import { countEdusByType, dropOldestEdus } from '../../../storage/tables/outbox.js'
import type { Tx } from '../../../storage/tx.js'

/**
 * What is never dropped: without a message to a device a conversation stays unreadable, without a change of keys it stays unsafe. Of changes of
 * keys one row for each user waits (`device-list-publisher.ts`), which makes the receiver fetch the whole list.
 */
const KEPT: ReadonlySet<string> = new Set([
  'm.direct_to_device',
  'm.device_list_update',
  'm.signing_key_update',
  'org.matrix.signing_key_update',
])

export interface OutboxBounds {
  /** How many were dropped of each type. */
  readonly dropped: ReadonlyMap<string, number>
  /** How many wait of what is never dropped. */
  readonly kept: number
}

/**
 * Keeps the EDUs of one destination that may be lost within `max`, the newest of each type; of receipts the newest says all. The others are bounded
 * by the disk alone, and by the limits on who sends them: the caller is to say so in the log.
 *
 * NOTSPEC: the specification knows no bound; receipts for a server that never comes back would fill the disk.
 */
export function* boundOutbox(destination: string, max: number): Tx<OutboxBounds> {
  const counts = yield* countEdusByType(destination)
  const dropped = new Map<string, number>()
  let kept = 0
  for (const [type, count] of counts) {
    if (KEPT.has(type)) kept += count
    else if (count > max) dropped.set(type, yield* dropOldestEdus(destination, count - max, type))
  }
  return { dropped, kept }
}
