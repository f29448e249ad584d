import { createHash } from 'node:crypto'
import { canonicalJson } from '../../../core/json/canonical.js'
import { parseJson } from '../../../core/json/parse.js'
import { isObject, type JsonObject } from '../../../core/json/value.js'
import { pendingEdus, pendingPdus } from '../../../storage/tables/outbox.js'
import type { Tx } from '../../../storage/tx.js'
import type { EphemeralEdu } from './destination-state.js'

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

function parsed(json: string): JsonObject {
  const result = parseJson(json)
  if (!result.ok || !isObject(result.value)) throw new Error('the outbox holds something that is no object')
  return result.value
}

/**
 * A transaction's body in its canonical form. PDUs are stored as they travel, in their canonical form and with `event_id` in room versions 1
 * and 2 only, so that an event is written once for all destinations.
 */
export function transactionText(
  origin: string,
  now: number,
  batch: Batch,
  ephemeral: readonly EphemeralEdu[],
): string {
  const edus = [
    ...batch.edus.map((row) => ({ edu_type: row.edu_type, content: parsed(row.content) })),
    ...ephemeral.map(({ edu_type, content }) => ({ edu_type, content })),
  ]
  const head = canonicalJson({ edus, origin, origin_server_ts: now }, 'lenient')
  return `${head.slice(0, -1)},"pdus":[${batch.pdus.map((row) => row.json).join(',')}]}`
}

/**
 * The same id for the same content, until `salt` changes: a transaction whose answer was lost is sent again under its
 * id, and one in which something changed meanwhile is another one.
 */
export function transactionId(salt: string, batch: Batch, ephemeral: readonly EphemeralEdu[]): string {
  const hash = createHash('sha256').update(salt)
  hash.update(JSON.stringify(batch.pdus.map((row) => row.event_nid)))
  hash.update(JSON.stringify(batch.edus.map((row) => [row.nid, row.content])))
  hash.update(JSON.stringify(ephemeral))
  return hash.digest('base64url')
}
