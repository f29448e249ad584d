import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1userkeysclaim */
export const claimUserEncryptionKeys = route({
  id: 'claimUserEncryptionKeys',
  method: 'POST',
  paths: ['/_matrix/federation/v1/user/keys/claim'],
  auth: 'server',
  rateLimit: 'federation',
  body: 'object',
  numbers: 'exact',
  handler: ({ body }, { e2ee }) => e2ee.claimKeysForServer(body),
})
