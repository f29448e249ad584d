import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidtags */
export const getRoomTags = route({
  id: 'getRoomTags',
  method: 'GET',
  paths: v3('/user/{userId}/rooms/{roomId}/tags'),
  auth: 'user',
  rateLimit: 'read',
  handler: async ({ requester, params }, { accountData }) => ({
    tags: await accountData.tags(ownUserId(requester, params), params['roomId']!),
  }),
})
