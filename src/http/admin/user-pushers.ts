import { adminRoute } from './admin-route.js'

/** Where somebody's notifications go. */
export const adminUserPushers = adminRoute({
  id: 'adminUserPushers',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/{userId}/pushers'],
  rateLimit: 'read',
  async handler({ params }, { administration, pushers }) {
    await administration.users.checkExists(params['userId']!)
    const list = await pushers.list(params['userId']!)
    return { pushers: list, total: list.length }
  },
})
