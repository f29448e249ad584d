import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1adminsuspenduserid */
export const getAdminSuspendUser = route({
  id: 'getAdminSuspendUser',
  method: 'GET',
  paths: v1('/admin/suspend/{userId}'),
  auth: 'admin',
  rateLimit: 'read',
  handler: async ({ requester, params }, { accounts }) => ({
    suspended: await accounts.moderation.get(requester.userId, params['userId']!, 'suspended'),
  }),
})
