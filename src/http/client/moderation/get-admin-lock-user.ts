import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1adminlockuserid */
export const getAdminLockUser = route({
  id: 'getAdminLockUser',
  method: 'GET',
  paths: v1('/admin/lock/{userId}'),
  auth: 'admin',
  rateLimit: 'read',
  handler: async ({ requester, params }, { accounts }) => ({
    locked: await accounts.moderation.get(requester.userId, params['userId']!, 'locked'),
  }),
})
