import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidinvite */
export const inviteUser = route({
  id: 'inviteUser',
  method: 'POST',
  paths: v3('/rooms/{roomId}/invite'),
  auth: 'user',
  rateLimit: 'invite',
  body: Type.Object({
    user_id: Type.String({ maxLength: 255 }),
    reason: Type.Optional(Type.String({ maxLength: 4096 })),
  }),
  async handler({ requester, params, body }, { memberships }) {
    await memberships.invite(requester, {
      roomId: params['roomId']!,
      userId: body.user_id,
      reason: body.reason,
    })
    return {}
  },
})
