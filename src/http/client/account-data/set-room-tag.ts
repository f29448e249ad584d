import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag */
export const setRoomTag = route({
  id: 'setRoomTag',
  method: 'PUT',
  paths: v3('/user/{userId}/rooms/{roomId}/tags/{tag}'),
  auth: 'user',
  rateLimit: 'write',
  body: 'object',
  async handler({ requester, params, body }, { accountData }) {
    await accountData.setTag(ownUserId(requester, params), params['roomId']!, params['tag']!, body)
    return {}
  },
})
