import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

/** A suspended account may read, and say nothing. */
export const adminSuspendUser = adminRoute({
  id: 'adminSuspendUser',
  method: 'PUT',
  paths: ['/_synapse/admin/v1/suspend/{userId}'],
  rateLimit: 'write',
  body: Type.Object({ suspend: Type.Boolean() }),
  async handler({ requester, params, body: { suspend } }, { accounts }) {
    const userId = params['userId']!
    await accounts.moderation.set(requester.userId, userId, 'suspended', suspend)
    return { [`user_${userId}_suspended`]: suspend }
  },
})
