import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidtypinguserid */
export const setTyping = route({
  id: 'setTyping',
  method: 'PUT',
  paths: v3('/rooms/{roomId}/typing/{userId}'),
  auth: 'user',
  rateLimit: 'activity',
  body: Type.Object({ typing: Type.Boolean(), timeout: Type.Optional(Type.Integer({ minimum: 0 })) }),
  async handler({ requester, params, body }, { typingNotices }) {
    await typingNotices.set(requester, {
      roomId: params['roomId']!,
      userId: params['userId']!,
      timeoutMs: body.typing ? (body.timeout ?? 30_000) : undefined,
    })
    return {}
  },
})
