import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidban */
export const ban = route({
  id: 'ban',
  method: 'POST',
  paths: v3('/rooms/{roomId}/ban'),
  auth: 'user',
  rateLimit: 'membership',
  body: Type.Object({
    user_id: Type.String({ maxLength: 255 }),
    reason: Type.Optional(Type.String({ maxLength: 4096 })),
  }),
  async handler({ requester, params, body }, { memberships }) {
    await memberships.ban(requester, { roomId: params['roomId']!, userId: body.user_id, reason: body.reason })
    return {}
  },
})
