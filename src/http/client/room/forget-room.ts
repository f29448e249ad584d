import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidforget */
export const forgetRoom = route({
  id: 'forgetRoom',
  method: 'POST',
  paths: v3('/rooms/{roomId}/forget'),
  auth: 'user',
  rateLimit: 'membership',
  body: 'object',
  async handler({ requester, params }, { memberships }) {
    await memberships.forget(requester, params['roomId']!)
    return {}
  },
})
