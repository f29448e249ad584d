import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3useruseridaccount_datatype */
export const getAccountData = route({
  id: 'getAccountData',
  method: 'GET',
  paths: v3('/user/{userId}/account_data/{type}'),
  auth: 'user',
  rateLimit: 'read',
  handler: ({ requester, params }, { accountData }) =>
    accountData.get(ownUserId(requester, params), '', params['type']!),
})
