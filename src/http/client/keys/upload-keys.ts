import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload */
export const uploadKeys = route({
  id: 'uploadKeys',
  method: 'POST',
  paths: v3('/keys/upload'),
  auth: 'guest',
  rateLimit: 'keys',
  // Signed objects: no number may be rounded on the way.
  body: 'object',
  numbers: 'exact',
  handler: ({ requester, body }, { e2ee }) => e2ee.uploadKeys(requester, body),
})
