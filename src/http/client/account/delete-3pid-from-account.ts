import { MatrixError } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'
import { NamedThreepid } from './threepid-body.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete */
export const delete3pidFromAccount = route({
  id: 'delete3pidFromAccount',
  method: 'POST',
  paths: v3('/account/3pid/delete'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: NamedThreepid,
  async handler({ requester, body }, { threepids, bindings }) {
    // Whoever is suspended can still be reached. SPEC: client-server-api/#account-suspension
    if (requester.isSuspended)
      throw new MatrixError('M_USER_SUSPENDED', 'You cannot remove an address while suspended')
    await threepids.remove(requester.userId, body.medium, body.address)
    const { medium, address, id_server: idServer } = body
    return { id_server_unbind_result: await bindings.unbind(requester.userId, medium, address, idServer) }
  },
})
