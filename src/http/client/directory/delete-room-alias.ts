import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias */
export const deleteRoomAlias = route({
  id: 'deleteRoomAlias',
  method: 'DELETE',
  paths: v3('/directory/room/{roomAlias}'),
  auth: 'user',
  rateLimit: 'write',
  async handler({ requester, params }, { aliases }) {
    await aliases.remove(requester, params['roomAlias']!)
    return {}
  },
})
