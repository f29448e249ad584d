import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers */
export const getPushers = route({
  id: 'getPushers',
  method: 'GET',
  paths: v3('/pushers'),
  auth: 'user',
  rateLimit: 'read',
  handler: async ({ requester }, { pushers }) => ({ pushers: await pushers.list(requester.userId) }),
})
