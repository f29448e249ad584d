import { MatrixError } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'
import { IdentityCredentials } from './threepid-body.js'

/**
 * NOTSPEC: this server trusts no identity server, so that no address of its users is published by one.
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
  handler: () =>
    Promise.reject(
      new MatrixError('M_SERVER_NOT_TRUSTED', 'This server works with no identity server', {}, 403),
    ),
})
