import { one, run, type Tx } from '../tx.js'

/** The id of a filter that the user has stored before. */
export function* filterIdByHash(userId: string, hash: string): Tx<number | undefined> {
  const row = yield* one<{ filter_id: number }>(
    'SELECT filter_id FROM filters WHERE user_id = ? AND hash = ?',
    userId,
    hash,
  )
  return row?.filter_id
}

/** The JSON of a filter. */
export function* filterById(userId: string, filterId: number): Tx<string | undefined> {
  const row = yield* one<{ json: string }>(
    'SELECT json FROM filters WHERE user_id = ? AND filter_id = ?',
    userId,
    filterId,
  )
  return row?.json
}

/**
 * Post: the filter is stored under the user's next id. Undefined, and nothing changed, when another transaction stored
 * the same filter or took the same id meanwhile; the caller asks again.
 */
export function* insertFilter(userId: string, hash: string, json: string): Tx<number | undefined> {
  const row = yield* one<{ filter_id: number }>(
    `INSERT INTO filters (user_id, filter_id, hash, json)
     SELECT ?, COALESCE(MAX(filter_id), 0) + 1, ?, ? FROM filters WHERE user_id = ?
     ON CONFLICT DO NOTHING RETURNING filter_id`,
    userId,
    hash,
    json,
    userId,
  )
  return row?.filter_id
}

/** Post: the user has no filters with ids up to `filterId`. */
export function* deleteFiltersUpTo(userId: string, filterId: number): Tx<void> {
  yield* run('DELETE FROM filters WHERE user_id = ? AND filter_id <= ?', userId, filterId)
}
