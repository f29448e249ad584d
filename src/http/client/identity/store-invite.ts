import { Type } from 'typebox'
import { invalidParam, MatrixError } from '../../../core/errors.js'
import { canonicalAddress } from '../../../services/identity/address.js'
import type { Kept } from '../../../services/member-identity/member-identity.js'
import { route } from '../../route.js'
import { Short } from '../../validate.js'
import { asker, offered } from './offered.js'

/** What identity servers answer; M_THREEPID_IN_USE with the user where there is one. */
export function keptInvite(kept: Kept): object {
  if ('boundTo' in kept)
    throw new MatrixError('M_THREEPID_IN_USE', 'The address is bound to a user', { mxid: kept.boundTo })
  return {
    token: kept.token,
    display_name: kept.displayName,
    public_key: kept.publicKeys[0]?.public_key,
    public_keys: kept.publicKeys,
  }
}

/** SPEC: https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2store-invite */
export const storeInvite = route({
  id: 'storeInvite',
  method: 'POST',
  paths: ['/_matrix/identity/v2/store-invite'],
  auth: 'none',
  rateLimit: 'login',
  maxBody: 16 * 1024,
  body: Type.Object({ medium: Short, address: Short, room_id: Short, sender: Short }),
  async handler({ request, body }, { memberIdentity, openId }) {
    const members = offered(memberIdentity)
    const userId = await asker(request, openId)
    const address = canonicalAddress(body.medium, body.address)
    if (address === undefined || address.medium !== 'email')
      throw new MatrixError('M_UNRECOGNIZED', 'Only e-mail addresses are invited', {}, 400)
    if (body.sender !== userId) throw invalidParam('sender must be you')
    return keptInvite(await members.storeInvite(address, { room_id: body.room_id, sender: userId }))
  },
})
