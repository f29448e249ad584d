import { all, type Tx } from '../tx.js'

/** Accounts of people, in use: neither guests nor users of application services, neither locked nor suspended nor deactivated, nor expired. */
const FINDABLE = `u.deactivated = 0 AND u.locked = 0 AND u.suspended = 0 AND u.is_guest = 0 AND u.appservice_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM account_validity v WHERE v.user_id = u.user_id AND v.expired = 1)`

export interface FindableRow {
  readonly user_id: string
  /** JSON. */
  readonly displayname: string | null
}

/** By user id from after `after` on. */
export function* findablePage(after: string, limit: number): Tx<readonly FindableRow[]> {
  return yield* all<FindableRow>(
    `SELECT u.user_id, p.value AS displayname FROM users u
     LEFT JOIN profiles p ON p.user_id = u.user_id AND p.field = 'displayname'
     WHERE u.user_id > ? AND ${FINDABLE} ORDER BY u.user_id LIMIT ?`,
    after,
    limit,
  )
}

/** Those of the users who are so still. Pre: at most a few hundred ids. */
export function* findableAmong(userIds: readonly string[]): Tx<readonly string[]> {
  if (userIds.length === 0) return []
  const rows = yield* all<{ user_id: string }>(
    `SELECT u.user_id FROM users u WHERE u.user_id IN (??) AND ${FINDABLE}`,
    userIds,
  )
  return rows.map((row) => row.user_id)
}
