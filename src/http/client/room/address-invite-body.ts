import { Type, type Static } from 'typebox'
import { missingParam } from '../../../core/errors.js'
import type { AddressInvite } from '../../../services/rooms/address-invites.js'
import { Short } from '../../validate.js'

/** Somebody who has an address, as an identity server knows. */
export const AddressInviteBody = Type.Object({
  id_server: Short,
  id_access_token: Type.String({ maxLength: 4_096 }),
  medium: Short,
  address: Short,
})

/** Throws M_MISSING_PARAM for what names neither a user nor a whole address. */
export function addressInvite(body: Partial<Static<typeof AddressInviteBody>>): AddressInvite {
  const { id_server: idServer, id_access_token: accessToken, medium, address } = body
  if (idServer === undefined && medium === undefined && address === undefined)
    throw missingParam('user_id is missing')
  if (idServer === undefined || accessToken === undefined || medium === undefined || address === undefined)
    throw missingParam('An invite of an address needs id_server, id_access_token, medium and address')
  return { idServer, accessToken, medium, address }
}
