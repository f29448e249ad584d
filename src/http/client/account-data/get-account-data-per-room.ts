import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridroomsroomidaccount_datatype */
export const getAccountDataPerRoom = route({
  id: 'getAccountDataPerRoom',
  method: 'GET',
  paths: v3('/user/{userId}/rooms/{roomId}/account_data/{type}'),
  auth: 'user',
  rateLimit: 'read',
  handler: ({ requester, params }, { accountData }) =>
    accountData.get(ownUserId(requester, params), params['roomId']!, params['type']!),
})
