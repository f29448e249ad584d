import { createHash } from 'node:crypto'
import { badJson, MatrixError, notFound } from '../../core/errors.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import { createLru } from '../../platform/lru.js'
import * as rows from '../../storage/tables/filters.js'
import type { Store, Tx } from '../../storage/tx.js'
import { filterFault, roomEventFilterFault } from './filter-format.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#filtering */
export interface Filters {
  /** The id of the filter; the same filter has the same id. Throws M_BAD_JSON, M_TOO_LARGE. */
  define(userId: string, filter: JsonObject): Promise<string>
  /** Throws M_NOT_FOUND. The object is shared: it must not be changed. */
  get(userId: string, filterId: string): Promise<JsonObject>
  /** What `/sync` is given: an id, or a filter as JSON. Throws M_NOT_FOUND, M_NOT_JSON, M_BAD_JSON. */
  resolve(userId: string, filter: string): Promise<JsonObject>
  /** What `/messages` and `/context` are given: a room event filter as JSON. Throws M_NOT_JSON, M_BAD_JSON. */
  inline(filter: string): JsonObject
}

function parseFilter(text: string, fault: (json: JsonObject) => string | undefined): JsonObject {
  const parsed = parseJson(text)
  if (!parsed.ok) throw new MatrixError('M_NOT_JSON', `The filter is not valid JSON: ${parsed.reason}`)
  if (!isObject(parsed.value)) throw badJson('The filter must be a JSON object')
  const problem = fault(parsed.value)
  if (problem !== undefined) throw badJson(problem)
  return parsed.value
}

const MAX_BYTES = 64 * 1024
/** The filters that a user keeps; clients define an old one again when it is gone. */
const MAX_PER_USER = 500
const CACHED = 5_000

export function createFilters(deps: { readonly store: Store }): Filters {
  const { store } = deps
  // Every /sync names a filter, and a filter never changes.
  const cache = createLru<string, JsonObject>({ max: CACHED })

  function* findOrInsert(userId: string, hash: string, json: string): Tx<number | undefined> {
    const known = yield* rows.filterIdByHash(userId, hash)
    if (known !== undefined) return known
    const id = yield* rows.insertFilter(userId, hash, json)
    if (id !== undefined && id > MAX_PER_USER) yield* rows.deleteFiltersUpTo(userId, id - MAX_PER_USER)
    return id
  }

  const filters: Filters = {
    async define(userId, filter) {
      const fault = filterFault(filter)
      if (fault !== undefined) throw badJson(fault)
      const canonical = tryCanonicalJson(filter)
      if (!canonical.ok) throw badJson(canonical.reason)
      if (Buffer.byteLength(canonical.text) > MAX_BYTES)
        throw new MatrixError('M_TOO_LARGE', `A filter has at most ${MAX_BYTES} bytes`)
      const hash = createHash('sha256').update(canonical.text).digest('base64url')
      // Two requests of one user at once may want the same id; one of them asks again.
      for (let attempt = 0; attempt < 5; attempt++) {
        const id = await store.write('filters.define', () => findOrInsert(userId, hash, canonical.text))
        if (id !== undefined) return String(id)
      }
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many filters at once', { retry_after_ms: 500 })
    },

    async get(userId, filterId) {
      if (!/^[1-9][0-9]{0,14}$/.test(filterId)) throw notFound('No such filter')
      const key = `${userId} ${filterId}`
      const cached = cache.get(key)
      if (cached !== undefined) return cached
      const json = await store.read('filters.get', () => rows.filterById(userId, Number(filterId)))
      if (json === undefined) throw notFound('No such filter')
      const filter = JSON.parse(json) as JsonObject
      cache.set(key, filter)
      return filter
    },

    async resolve(userId, filter) {
      return filter.startsWith('{') ? parseFilter(filter, filterFault) : filters.get(userId, filter)
    },

    inline: (filter) => parseFilter(filter, roomEventFilterFault),
  }
  return filters
}
