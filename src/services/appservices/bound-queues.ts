import type { Logger } from '../../platform/logger.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import { appserviceSurplus, dropOldestForAppservice } from '../../storage/tables/appservices.js'
import type { Store } from '../../storage/tx.js'
import type { Appservice } from './registry.js'

/** Job: what waits for an application service that never comes back must not fill the disk. */
export type BoundQueues = () => Promise<void>

/** Events of some days; one that was away for a night gets all of them. */
const KEPT = 200_000
const BATCH = 1_000

export function createBoundQueues(deps: {
  readonly store: Store
  readonly logger: Pick<Logger, 'error'>
  readonly appservices: readonly Appservice[]
  readonly keep?: number
}): BoundQueues {
  const { store, logger, appservices, keep = KEPT } = deps
  return async () => {
    for (const { id } of appservices) {
      const upTo = await store.read('appservices.surplus', () => appserviceSurplus(id, keep))
      if (upTo === undefined) continue
      const dropped = await deleteInBatches(store, 'appservices.drop', BATCH, (size) =>
        dropOldestForAppservice(id, upTo, size),
      )
      logger.error(
        { appservice: id, dropped, kept: keep },
        'an application service takes nothing for so long that the oldest of what waits for it was dropped: it will never be told of it',
      )
    }
  }
}
