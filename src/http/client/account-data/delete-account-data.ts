import { route } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** NOTSPEC: MSC3391, by the path that clients know. */
export const deleteAccountData = route({
  id: 'deleteAccountData',
  method: 'DELETE',
  paths: ['/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/account_data/{type}'],
  auth: 'user',
  rateLimit: 'write',
  async handler({ requester, params }, { accountData }) {
    await accountData.delete(ownUserId(requester, params), '', params['type']!)
    return {}
  },
})
