import { forbidden } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logout */
export const logout = route({
  id: 'logout',
  method: 'POST',
  paths: v3('/logout'),
  auth: 'guest',
  rateLimit: 'write',
  allowLocked: true,
  allowExpired: true,
  body: 'json',
  async handler({ requester }, { accounts }) {
    if (requester.deviceId === undefined) throw forbidden('There is no session to end')
    await accounts.sessions.logout(requester.userId, requester.deviceId)
    return {}
  },
})
