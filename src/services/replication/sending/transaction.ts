import { createHash } from 'node:crypto'
import { canonicalJson } from '../../../core/json/canonical.js'
import { parseJson } from '../../../core/json/parse.js'
import { isObject, type JsonObject } from '../../../core/json/value.js'
import type { Batch } from './batch.js'
import type { EphemeralEdu } from './destination-state.js'

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
