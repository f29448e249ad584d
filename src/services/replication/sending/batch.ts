import { pendingEdus, pendingPdus } from '../../../storage/tables/outbox.js'
import type { Tx } from '../../../storage/tx.js'

/** Characters of JSON in one transaction; receivers refuse bodies of about three times that. */
const MAX_SIZE = 4_000_000

/** What the next transaction to a destination takes from the outbox. */
export interface Batch {
  readonly pdus: readonly { readonly event_nid: number; readonly json: string }[]
  readonly edus: readonly { readonly nid: number; readonly edu_type: string; readonly content: string }[]
}

export interface BatchLimits {
  readonly pdus: number
  readonly edus: number
}

/** Reads the oldest PDUs and EDUs for a destination, within the limits and the size of one transaction. */
export function* nextBatch(destination: string, limits: BatchLimits): Tx<Batch> {
  let room = MAX_SIZE
  const fits = (text: string): boolean => {
    room -= text.length
    return room > 0
  }
  const pdus = limits.pdus === 0 ? [] : yield* pendingPdus(destination, limits.pdus)
  const edus = limits.edus === 0 ? [] : yield* pendingEdus(destination, limits.edus)
  return {
    pdus: pdus.filter((row, i) => fits(row.json) || i === 0),
    edus: edus.filter((row, i) => fits(row.content) || (i === 0 && pdus.length === 0)),
  }
}

export const sizeOf = ({ pdus, edus }: Batch): number => pdus.length + edus.length
