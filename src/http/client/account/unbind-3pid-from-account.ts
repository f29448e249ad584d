import { route, v3 } from '../../route.js'
import { NamedThreepid } from './threepid-body.js'

/**
 * The address stays with the account.
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
  handler: async ({ requester, body }, { bindings }) => ({
    id_server_unbind_result: await bindings.unbind(
      requester.userId,
      body.medium,
      body.address,
      body.id_server,
    ),
  }),
})
