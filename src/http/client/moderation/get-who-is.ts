import { forbidden } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'

/** For administrators, and for users who look at themselves. SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3adminwhoisuserid */
export const getWhoIs = route({
  id: 'getWhoIs',
  method: 'GET',
  paths: v3('/admin/whois/{userId}'),
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester, params }, { accounts }) {
    const userId = params['userId']!
    if (!requester.isAdmin && userId !== requester.userId) throw forbidden('You may look at yourself only')
    return await accounts.moderation.whois(userId)
  },
})
