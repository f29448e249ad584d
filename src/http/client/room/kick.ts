import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidkick */
export const kick = route({
  id: 'kick',
  method: 'POST',
  paths: v3('/rooms/{roomId}/kick'),
  auth: 'user',
  rateLimit: 'membership',
  body: Type.Object({
    user_id: Type.String({ maxLength: 255 }),
    reason: Type.Optional(Type.String({ maxLength: 4096 })),
  }),
  async handler({ requester, params, body }, { memberships }) {
    await memberships.kick(requester, {
      roomId: params['roomId']!,
      userId: body.user_id,
      reason: body.reason,
    })
    return {}
  },
})
