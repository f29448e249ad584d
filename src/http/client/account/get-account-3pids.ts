import { route, v3 } from '../../route.js'

/**
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid
 * TODO: third-party identifiers come with e-mail; until then no account has any.
 */
export const getAccount3Pids = route({
  id: 'getAccount3PIDs',
  method: 'GET',
  paths: v3('/account/3pid'),
  auth: 'user',
  rateLimit: 'read',
  handler: () => Promise.resolve({ threepids: [] }),
})
