import { countEdus, dropOldestEdus } from '../../../storage/tables/outbox.js'
import type { Tx } from '../../../storage/tx.js'

/**
 * Keeps the EDUs that wait for one destination within `max`. Receipts go first: the newest one says all. Then the oldest
 * of the others. Gives how many went of each type, for the log.
 *
 * NOTSPEC: the specification knows no bound; a server that never comes back would fill the disk.
 */
export function* boundOutbox(destination: string, max: number): Tx<ReadonlyMap<string, number>> {
  const dropped = new Map<string, number>()
  let excess = (yield* countEdus(destination)) - max
  for (const type of ['m.receipt', undefined]) {
    if (excess <= 0) break
    for (const [name, count] of yield* dropOldestEdus(destination, excess, type)) {
      dropped.set(name, (dropped.get(name) ?? 0) + count)
      excess -= count
    }
  }
  return dropped
}
