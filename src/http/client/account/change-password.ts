import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { AuthData, json } from '../auth-data.js'

/**
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword
 * NOTSPEC: an access token is always needed; without one only a proof by e-mail could tell whose password it is.
 */
export const changePassword = route({
  id: 'changePassword',
  method: 'POST',
  paths: v3('/account/password'),
  auth: 'user',
  rateLimit: 'login',
  maxBody: 64 * 1024,
  body: Type.Object({
    new_password: Type.String(),
    logout_devices: Type.Optional(Type.Boolean()),
    auth: AuthData,
  }),
  async handler({ requester, body, request }, { accounts }) {
    const { userId, deviceId } = requester
    const { new_password: password, logout_devices: logoutDevices = true } = body
    // Before the user is asked, who would else confirm in vain.
    accounts.credentials.checkPassword(password)
    await accounts.credentials.confirm({
      userId,
      operation: 'changePassword',
      auth: json(body.auth),
      bound: [password, logoutDevices],
      ip: request.ip,
    })
    await accounts.credentials.changePassword(userId, password, { keepDeviceId: deviceId, logoutDevices })
    return {}
  },
})
