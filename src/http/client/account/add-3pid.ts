import { Type } from 'typebox'
import { Short } from '../../validate.js'
import { route, v3 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd */
export const add3Pid = route({
  id: 'add3PID',
  method: 'POST',
  paths: v3('/account/3pid/add'),
  auth: 'user',
  rateLimit: 'login',
  maxBody: 64 * 1024,
  body: Type.Object({ client_secret: Short, sid: Short, auth: AuthData }),
  async handler({ requester, body, request }, { accounts, threepids }) {
    const credentials = { sid: body.sid, clientSecret: body.client_secret }
    // Before the user is asked, who would else confirm in vain.
    await threepids.checkProved('add', credentials)
    await accounts.credentials.confirm({
      userId: requester.userId,
      operation: 'add3PID',
      auth: json(body.auth),
      bound: body.sid,
      ip: request.ip,
    })
    await threepids.add(requester.userId, credentials)
    return {}
  },
})
