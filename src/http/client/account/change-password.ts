import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/**
 * With an access token for the account of that token; without one for whoever proves by mail whose account it is.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
 */
export const changePassword = route({
  id: 'changePassword',
  method: 'POST',
  paths: v3('/account/password'),
  auth: 'optional-user',
  rateLimit: 'login',
  maxBody: 64 * 1024,
  body: Type.Object({
    new_password: Type.String(),
    logout_devices: Type.Optional(Type.Boolean()),
    auth: AuthData,
  }),
  async handler({ requester, body, request }, { accounts }) {
    if (requester?.isGuest === true)
      throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests have no password')
    await accounts.credentials.resetPassword({
      userId: requester?.userId,
      deviceId: requester?.deviceId,
      password: body.new_password,
      logoutDevices: body.logout_devices ?? true,
      auth: json(body.auth),
      ip: request.ip,
    })
    return {}
  },
})
