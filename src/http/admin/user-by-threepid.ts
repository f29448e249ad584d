import { adminRoute } from './admin-route.js'

/** Whose address it is. */
export const adminUserByThreepid = adminRoute({
  id: 'adminUserByThreepid',
  method: 'GET',
  paths: ['/_synapse/admin/v1/threepid/{medium}/users/{address}'],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) => ({
    user_id: await administration.users.byThreepid(params['medium']!, params['address']!),
  }),
})
