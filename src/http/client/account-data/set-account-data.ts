import { route, v3 } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3useruseridaccount_datatype */
export const setAccountData = route({
  id: 'setAccountData',
  method: 'PUT',
  paths: v3('/user/{userId}/account_data/{type}'),
  auth: 'user',
  rateLimit: 'write',
  body: 'object',
  async handler({ requester, params, body }, { accountData }) {
    await accountData.set(ownUserId(requester, params), '', params['type']!, body)
    return {}
  },
})
