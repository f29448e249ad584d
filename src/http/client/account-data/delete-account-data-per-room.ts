import { route } from '../../route.js'
import { ownUserId } from '../own-account.js'

/** NOTSPEC: MSC3391, by the path that clients know. */
export const deleteAccountDataPerRoom = route({
  id: 'deleteAccountDataPerRoom',
  method: 'DELETE',
  paths: ['/_matrix/client/unstable/org.matrix.msc3391/user/{userId}/rooms/{roomId}/account_data/{type}'],
  auth: 'user',
  rateLimit: 'write',
  async handler({ requester, params }, { accountData }) {
    await accountData.delete(ownUserId(requester, params), params['roomId']!, params['type']!)
    return {}
  },
})
