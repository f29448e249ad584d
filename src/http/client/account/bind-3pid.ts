import { refuseSuspended } from '../../../services/rooms/send.js'
import { route, v3 } from '../../route.js'
import { IdentityCredentials } from './threepid-body.js'

/**
 * Who is suspended publishes nothing.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind
 */
export const bind3Pid = route({
  id: 'bind3PID',
  method: 'POST',
  paths: v3('/account/3pid/bind'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: IdentityCredentials,
  async handler({ requester, body }, { bindings }) {
    refuseSuspended(requester)
    const access = { idServer: body.id_server, accessToken: body.id_access_token }
    await bindings.bind(requester.userId, access, { sid: body.sid, clientSecret: body.client_secret })
    return {}
  },
})
