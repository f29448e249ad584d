import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keysversionversion */
export const deleteRoomKeysVersion = route({
  id: 'deleteRoomKeysVersion',
  method: 'DELETE',
  paths: v3('/room_keys/version/{version}'),
  auth: 'user',
  rateLimit: 'keys',
  async handler({ requester, params }, { e2ee }) {
    await e2ee.keyBackup.deleteVersion(requester.userId, params['version']!)
    return {}
  },
})
