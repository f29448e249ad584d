import { MatrixError } from '../../core/errors.js'
import { blocksInvites, INVITE_PERMISSION } from '../../core/invite-permission.js'
import type { Json } from '../../core/json/value.js'
import { accountData } from '../../storage/tables/account-data.js'
import type { Store, Tx } from '../../storage/tx.js'

/** Whether the user wants no invites. */
export function* invitesBlocked(userId: string): Tx<boolean> {
  const json = yield* accountData(userId, '', INVITE_PERMISSION)
  return json !== undefined && blocksInvites(JSON.parse(json) as Json)
}

/** Throws M_INVITE_BLOCKED where the local user wants no invites. */
export async function checkInvitable(store: Store, userId: string): Promise<void> {
  if (await store.read('accountData.invites', () => invitesBlocked(userId)))
    throw new MatrixError('M_INVITE_BLOCKED', `${userId} takes no invites`)
}
