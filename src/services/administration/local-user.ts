import { invalidParam, notFound } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { userById, type UserRow } from '../../storage/tables/users.js'
import type { Tx } from '../../storage/tx.js'

/** Throws M_INVALID_PARAM unless it is the whole id of a user of this server, whether or not there is one. */
export function checkLocalId(userId: string, serverName: string): void {
  const id = parseUserId(userId)
  if (id === undefined) throw invalidParam('This is not a user id')
  if (id.domain !== serverName) throw invalidParam('The user does not belong to this server')
}

/** The account of a user of this server, deactivated or not. Throws M_INVALID_PARAM, M_NOT_FOUND. */
export function* localUser(userId: string, serverName: string): Tx<UserRow> {
  checkLocalId(userId, serverName)
  const user = yield* userById(userId)
  if (user === undefined) throw notFound('There is no such account')
  return user
}
