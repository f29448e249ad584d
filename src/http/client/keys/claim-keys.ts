import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysclaim */
export const claimKeys = route({
  id: 'claimKeys',
  method: 'POST',
  paths: v3('/keys/claim'),
  auth: 'guest',
  rateLimit: 'keys',
  body: 'object',
  handler: ({ body }, { e2ee }) => e2ee.claimKeys(body),
})
