import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/**
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate
 * NOTSPEC: an access token is always needed, as for a change of password; an application service closes the accounts of
 * its own users without their confirmation, which they have no way to give.
 */
export const deactivateAccount = route({
  id: 'deactivateAccount',
  method: 'POST',
  paths: v3('/account/deactivate'),
  auth: 'user',
  rateLimit: 'login',
  maxBody: 64 * 1024,
  body: Type.Object({ erase: Type.Optional(Type.Boolean()), auth: AuthData }),
  async handler({ requester, body, request }, { accounts, bindings }) {
    const { userId, appserviceId } = requester
    const erase = body.erase ?? false
    if (appserviceId === undefined) {
      await accounts.credentials.confirm({
        userId,
        operation: 'deactivateAccount',
        auth: json(body.auth),
        bound: erase,
        ip: request.ip,
      })
    }
    const result = await bindings.unbindAll(userId)
    await accounts.credentials.deactivate(userId, erase)
    return { id_server_unbind_result: result }
  },
})
