import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/users/{userId}/admin'

/** Whether somebody is an administrator. */
export const adminGetUserAdmin = adminRoute({
  id: 'adminGetUserAdmin',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) => ({
    admin: await administration.users.isAdmin(params['userId']!),
  }),
})

/** Makes an administrator, or takes the rights away; never one's own. */
export const adminPutUserAdmin = adminRoute({
  id: 'adminPutUserAdmin',
  method: 'PUT',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object({ admin: Type.Boolean() }),
  async handler({ requester, params, body: { admin } }, { administration }) {
    const userId = params['userId']!
    await administration.users.checkExists(userId)
    await administration.users.put(requester.userId, userId, { admin, logoutDevices: false })
    return {}
  },
})
