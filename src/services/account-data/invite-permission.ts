import { MatrixError } from '../../core/errors.js'
import {
  INVITE_FILTER,
  INVITE_PERMISSION,
  readInvitePermission,
  type InvitePermission,
} from '../../core/invite-permission.js'
import type { Json } from '../../core/json/value.js'
import { accountDataOfUsers } from '../../storage/tables/account-data.js'
import type { Store, Tx } from '../../storage/tx.js'

/** Whose invites the user wants. */
export function* invitePermissionOf(userId: string): Tx<InvitePermission> {
  const rows = yield* accountDataOfUsers([userId], [INVITE_PERMISSION, INVITE_FILTER])
  const contents = new Map(rows.map((row) => [row.type, JSON.parse(row.content) as Json]))
  return readInvitePermission(contents.get(INVITE_PERMISSION), contents.get(INVITE_FILTER))
}

/** Throws M_INVITE_BLOCKED where the local user refuses invites of this one. */
export async function checkInvitable(store: Store, userId: string, inviter: string): Promise<void> {
  const permission = await store.read('accountData.invites', () => invitePermissionOf(userId))
  if (permission.of(inviter) === 'block')
    throw new MatrixError('M_INVITE_BLOCKED', `${userId} takes no invites of ${inviter}`)
}
