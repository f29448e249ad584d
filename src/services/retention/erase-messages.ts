import type { Actor } from '../../core/audit/acts.js'
import { createPace } from '../../platform/pace.js'
import type { TimePlace } from '../../storage/tables/retention.js'
import type { Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { RoomsContext } from '../rooms/context.js'
import type { LegalHolds } from './legal-holds.js'
import { stripBatch } from './strip-messages.js'

export interface ErasureWish {
  readonly roomNid: number
  readonly roomId: string
  /** Milliseconds: what was said then and later stays. */
  readonly before: number
  /** Whose messages; those under a legal hold stay in any case. */
  isDue(sender: string): boolean
  readonly by: Actor
  /** Where an earlier run has ended, and what it had done. */
  readonly from?: ErasureProgress | undefined
}

export interface ErasureProgress {
  readonly place: TimePlace
  readonly events: number
}

/**
 * Takes the content of messages at the wish of an administrator, in the small batches of retention: never blocking, whatever the room's size. `note` keeps how far
 * it has come, in the transaction of each batch, so that it goes on from there. Gives how many there were in all; throws when the signal aborts.
 */
export type EraseMessages = (
  wish: ErasureWish,
  signal: AbortSignal,
  note: (progress: ErasureProgress) => Tx<void>,
) => Promise<number>

/** Nothing was gone through yet. */
const BEGINNING: ErasureProgress = { place: { ts: -1, nid: -1 }, events: 0 }

export function createErasure(deps: {
  readonly context: Pick<RoomsContext, 'store' | 'events'>
  readonly holds: Pick<LegalHolds, 'isHeld'>
  readonly audit: AuditTrail
}): EraseMessages {
  const { context, holds, audit } = deps

  return async (wish, signal, note) => {
    const { roomNid, roomId, before, by } = wish
    let progress = wish.from ?? BEGINNING
    const pace = createPace()
    for (;;) {
      signal.throwIfAborted()
      const { place: after, events } = progress
      const batch = await stripBatch(
        context,
        {
          ...{ roomNid, roomId, after, before },
          isDue: (sender) => wish.isDue(sender) && !holds.isHeld(roomId, sender),
        },
        (place, stripped) => note({ place, events: events + stripped }),
      )
      if (batch === undefined) break
      progress = { place: batch.place, events: events + batch.stripped }
      await pace()
    }
    const { events } = progress
    if (events > 0) await audit.note({ act: 'data.purged', by, room: roomId, details: { events, before } })
    return events
  }
}
