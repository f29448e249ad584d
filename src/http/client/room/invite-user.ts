import { Type } from 'typebox'
import { AddressInviteBody, addressInvite } from './address-invite-body.js'
import { route, v3 } from '../../route.js'

/**
 * Two operations of the specification that share a path: of a user, and of an address.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite-1
 */
export const inviteUser = route({
  id: 'inviteUser',
  method: 'POST',
  paths: v3('/rooms/{roomId}/invite'),
  auth: 'user',
  rateLimit: 'invite',
  body: Type.Object({
    user_id: Type.Optional(Type.String({ maxLength: 255 })),
    reason: Type.Optional(Type.String({ maxLength: 4096 })),
    ...Type.Partial(AddressInviteBody).properties,
  }),
  async handler({ requester, params, body }, { memberships, addressInvites }) {
    const roomId = params['roomId']!
    const { user_id: userId, reason } = body
    if (userId !== undefined) await memberships.invite(requester, { roomId, userId, reason })
    else await addressInvites.invite(requester, { roomId, reason, ...addressInvite(body) })
    return {}
  },
})
