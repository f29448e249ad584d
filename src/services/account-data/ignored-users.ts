import { isObject, type Json } from '../../core/json/value.js'
import { accountData } from '../../storage/tables/account-data.js'
import type { Tx } from '../../storage/tx.js'

const TYPE = 'm.ignored_user_list'

/** Whom a user ignores. SPEC: https://spec.matrix.org/v1.19/client-server-api/#ignoring-users */
export function* ignoredUsersOf(userId: string): Tx<ReadonlySet<string>> {
  const json = yield* accountData(userId, '', TYPE)
  const content = json === undefined ? {} : (JSON.parse(json) as Json)
  const users = isObject(content) ? content['ignored_users'] : undefined
  const ignored = new Set(isObject(users) ? Object.keys(users) : [])
  // Nobody is kept from what they said themselves.
  ignored.delete(userId)
  return ignored
}
