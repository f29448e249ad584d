import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag */
export const deleteRoomTag = route({
  id: 'deleteRoomTag',
  method: 'DELETE',
  paths: v3('/user/{userId}/rooms/{roomId}/tags/{tag}'),
  auth: 'user',
  rateLimit: 'write',
  async handler({ requester, params }, { accountData }) {
    await accountData.deleteTag(ownUserId(requester, params), params['roomId']!, params['tag']!)
    return {}
  },
})
