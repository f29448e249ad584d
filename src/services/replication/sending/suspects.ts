import { pendingEdus, pendingPdus } from '../../../storage/tables/outbox.js'
import type { Tx } from '../../../storage/tx.js'
import type { Batch } from './batch.js'

/**
 * Single items that a server refuses although they are sent alone. Whether that is their fault shows when it takes others: a proxy that somebody has
 * set up wrongly refuses everything for an hour. So other items and these take turns, and what is refused again and again, each time after
 * another one was taken, is given up.
 */
export interface Suspects {
  readonly items: readonly { readonly item: Batch; readonly refusals: number }[]
  /** Another item was taken since one of these was refused. */
  readonly isProven: boolean
}

export const NO_SUSPECTS: Suspects = { items: [], isProven: false }

/** So often a suspect is refused after others were taken, before it is given up. */
const MAX_REFUSALS = 3
/** A server that takes none of so many takes none at all. */
const MAX_SUSPECTS = 20

const isSame = (one: Batch, other: Batch): boolean =>
  one.pdus[0]?.event_nid === other.pdus[0]?.event_nid && one.edus[0]?.nid === other.edus[0]?.nid

const isOne = ({ items }: Suspects, batch: Batch): boolean => items.some(({ item }) => isSame(item, batch))

/** What is offered next, alone; nothing where nothing waits. Pre: there are suspects. */
export function* nextAlone(destination: string, suspects: Suspects): Tx<Batch> {
  const limit = suspects.items.length + 1
  const pdus = (yield* pendingPdus(destination, limit)).map((row): Batch => ({ pdus: [row], edus: [] }))
  const edus = (yield* pendingEdus(destination, limit)).map((row): Batch => ({ pdus: [], edus: [row] }))
  const items = [...pdus, ...edus]
  const suspect = items.find((item) => isOne(suspects, item))
  const other = items.find((item) => !isOne(suspects, item))
  return (suspects.isProven ? (suspect ?? other) : (other ?? suspect)) ?? { pdus: [], edus: [] }
}

/** After a batch was taken. */
export function afterTaken(suspects: Suspects, batch: Batch): Suspects {
  if (suspects.items.length === 0) return NO_SUSPECTS
  if (!isOne(suspects, batch)) return { ...suspects, isProven: true }
  const items = suspects.items.filter(({ item }) => !isSame(item, batch))
  return items.length === 0 ? NO_SUSPECTS : { items, isProven: true }
}

/** After a single item was refused; `givenUp`: it is not to be sent any more. */
export function afterRefused(
  { items, isProven }: Suspects,
  batch: Batch,
): { readonly suspects: Suspects; readonly givenUp: boolean } {
  const before = items.find(({ item }) => isSame(item, batch))
  if (before === undefined) {
    const all = [...items, { item: batch, refusals: 0 }]
    return {
      suspects: all.length > MAX_SUSPECTS ? NO_SUSPECTS : { items: all, isProven: false },
      givenUp: false,
    }
  }
  const refusals = before.refusals + (isProven ? 1 : 0)
  const givenUp = refusals >= MAX_REFUSALS
  // The others have their turn before it.
  const others = items.filter((one) => one !== before)
  const left = givenUp ? others : [...others, { item: before.item, refusals }]
  return { suspects: left.length === 0 ? NO_SUSPECTS : { items: left, isProven: false }, givenUp }
}
