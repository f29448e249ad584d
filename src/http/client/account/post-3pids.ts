import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'
import { IdentityCredentials } from './threepid-body.js'

/**
 * The deprecated form of `/3pid/bind`: no identity server can vouch for the address here. Adding one without it would need the
 * user's confirmation, which this request does not ask for.
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
  handler: () =>
    Promise.reject(
      new MatrixError(
        'M_THREEPID_AUTH_FAILED',
        'This server works with no identity server; use /account/3pid/add',
        {},
        403,
      ),
    ),
})
