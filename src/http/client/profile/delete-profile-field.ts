import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3profileuseridkeyname */
export const deleteProfileField = route({
  id: 'deleteProfileField',
  method: 'DELETE',
  paths: v3('/profile/{userId}/{keyName}'),
  auth: 'guest',
  rateLimit: 'write',
  async handler({ requester, params }, { profile }) {
    await profile.deleteField(requester, params['userId']!, params['keyName']!)
    return {}
  },
})
