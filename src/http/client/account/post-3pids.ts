import { Type } from 'typebox'
import { refuseSuspended } from '../../../services/rooms/send.js'
import { route, v3 } from '../../route.js'
import { IdentityCredentials } from './threepid-body.js'

/**
 * The deprecated form of `/3pid/bind`, which it equals since it lost its `bind` parameter.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pid
 */
export const post3Pids = route({
  id: 'post3PIDs',
  method: 'POST',
  paths: v3('/account/3pid'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ three_pid_creds: IdentityCredentials }),
  async handler({ requester, body }, { bindings }) {
    refuseSuspended(requester)
    const { id_server, id_access_token, sid, client_secret } = body.three_pid_creds
    const access = { idServer: id_server, accessToken: id_access_token }
    await bindings.bind(requester.userId, access, { sid, clientSecret: client_secret })
    return {}
  },
})
