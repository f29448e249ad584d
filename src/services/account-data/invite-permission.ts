import { MatrixError } from '../../core/errors.js'
import {
  INVITE_FILTER,
  INVITE_PERMISSION,
  readInvitePermission,
  type InvitePermission,
} from '../../core/invite-permission.js'
import type { Json } from '../../core/json/value.js'
import { accountData } from '../../storage/tables/account-data.js'
import type { Store, Tx } from '../../storage/tx.js'

/** Whose invites the user wants. */
export function* invitePermissionOf(userId: string): Tx<InvitePermission> {
  // Two statements by key are a fifth of one with lists.
  const permission = yield* accountData(userId, '', INVITE_PERMISSION)
  const filter = yield* accountData(userId, '', INVITE_FILTER)
  const read = (json: string | undefined): Json | undefined =>
    json === undefined ? undefined : (JSON.parse(json) as Json)
  return readInvitePermission(read(permission), read(filter))
}

/** Throws M_INVITE_BLOCKED where the local user refuses invites of this one. */
export async function checkInvitable(store: Store, userId: string, inviter: string): Promise<void> {
  const permission = await store.read('accountData.invites', () => invitePermissionOf(userId))
  if (permission.of(inviter) === 'block')
    throw new MatrixError('M_INVITE_BLOCKED', `${userId} takes no invites of ${inviter}`)
}
