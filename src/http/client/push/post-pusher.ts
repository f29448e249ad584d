import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3pushersset */
export const postPusher = route({
  id: 'postPusher',
  method: 'POST',
  paths: v3('/pushers/set'),
  auth: 'user',
  rateLimit: 'write',
  body: 'object',
  maxBody: 64 * 1024,
  async handler({ requester, body }, { pushers }) {
    await pushers.set(requester, body)
    return {}
  },
})
