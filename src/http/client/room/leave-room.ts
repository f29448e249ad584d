import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidleave */
export const leaveRoom = route({
  id: 'leaveRoom',
  method: 'POST',
  paths: v3('/rooms/{roomId}/leave'),
  auth: 'guest',
  rateLimit: 'membership',
  body: Type.Object({ reason: Type.Optional(Type.String({ maxLength: 4096 })) }),
  async handler({ requester, params, body }, { memberships }) {
    await memberships.leave(requester, { roomId: params['roomId']!, reason: body.reason })
    return {}
  },
})
