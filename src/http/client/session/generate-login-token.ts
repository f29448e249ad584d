import { Type } from 'typebox'
import { route, v1 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token */
export const generateLoginToken = route({
  id: 'generateLoginToken',
  method: 'POST',
  paths: v1('/login/get_token'),
  auth: 'user',
  rateLimit: 'login',
  maxBody: 64 * 1024,
  body: Type.Object({ auth: AuthData }),
  async handler({ requester, body, request }, { accounts }) {
    const { userId } = requester
    await accounts.credentials.confirm({
      userId,
      operation: 'generateLoginToken',
      auth: json(body.auth),
      ip: request.ip,
    })
    return await accounts.login.issueToken(userId)
  },
})
