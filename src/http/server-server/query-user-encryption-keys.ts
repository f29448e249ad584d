import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysquery */
export const queryUserEncryptionKeys = route({
  id: 'queryUserEncryptionKeys',
  method: 'POST',
  paths: ['/_matrix/federation/v1/user/keys/query'],
  auth: 'server',
  rateLimit: 'federation',
  // The request is signed: its bytes must be the sender's.
  body: 'object',
  numbers: 'exact',
  handler: ({ body }, { e2ee }) => e2ee.queryKeysForServer(body),
})
