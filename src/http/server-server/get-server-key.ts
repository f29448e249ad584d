import { route } from '../route.js'

/** The form with a key id is of old versions, and answers the same. SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server */
export const getServerKey = route({
  id: 'getServerKey',
  method: 'GET',
  paths: ['/_matrix/key/v2/server', '/_matrix/key/v2/server/', '/_matrix/key/v2/server/{keyId}'],
  auth: 'none',
  rateLimit: 'federation',
  handler: (_call, { serverKeys }) => Promise.resolve(serverKeys.ownDocument()),
})
