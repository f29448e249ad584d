import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3logoutall */
export const logoutAll = route({
  id: 'logout_all',
  method: 'POST',
  paths: v3('/logout/all'),
  auth: 'guest',
  rateLimit: 'write',
  allowLocked: true,
  allowExpired: true,
  body: 'json',
  async handler({ requester }, { accounts }) {
    await accounts.sessions.logoutAll(requester.userId)
    return {}
  },
})
