import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysquery */
export const queryKeys = route({
  id: 'queryKeys',
  method: 'POST',
  paths: v3('/keys/query'),
  auth: 'guest',
  rateLimit: 'keys',
  body: 'object',
  handler: ({ requester, body }, { e2ee }) => e2ee.queryKeys(requester.userId, body),
})
