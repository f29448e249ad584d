import type { Logger } from '../../../platform/logger.js'
import {
  abandonedImports,
  deleteImportedEvents,
  deleteImportedMembers,
  deleteImportedState,
} from '../../../storage/tables/room-imports.js'
import { deleteInBatches } from '../../../storage/delete-in-batches.js'
import type { Store } from '../../../storage/tx.js'

/** Rows of one transaction. */
const BATCH = 1_000
/** Rooms cleaned at one start; further ones at the next. */
const MAX_ROOMS = 1_000

/**
 * Removes what a join has stored of a room whose last transaction was never reached, because the process ended or the join
 * was refused at last. Nobody ever saw any of it, and a later join of the room brings it anew. Invitations stay.
 * Pre: no join is under way. TODO: several processes on one PostgreSQL need the lease of the room for this.
 */
export async function removeAbandonedImports({
  store,
  logger,
}: {
  readonly store: Store
  readonly logger: Logger
}): Promise<void> {
  const rooms = await store.read('imports.abandoned', () => abandonedImports(MAX_ROOMS))
  for (const { nid, room_id: roomId } of rooms) {
    let events = 0
    for (const remove of [deleteImportedEvents, deleteImportedState, deleteImportedMembers]) {
      const removed = await deleteInBatches(store, 'imports.remove', BATCH, (size) => remove(nid, size))
      if (remove === deleteImportedEvents) events += removed
    }
    logger.info({ roomId, events }, 'what an unfinished join had stored of a room was removed')
  }
}
