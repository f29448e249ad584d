import { route, v3 } from '../../route.js'
import { NamedThreepid } from './threepid-body.js'

/**
 * Nothing is bound through this server, so that nothing can be unbound.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind
 */
export const unbind3pidFromAccount = route({
  id: 'unbind3pidFromAccount',
  method: 'POST',
  paths: v3('/account/3pid/unbind'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: NamedThreepid,
  handler: () => Promise.resolve({ id_server_unbind_result: 'no-support' }),
})
