import { route, v3 } from '../../route.js'
import { VersionQuery } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeys */
export const deleteRoomKeys = route({
  id: 'deleteRoomKeys',
  method: 'DELETE',
  paths: v3('/room_keys/keys'),
  auth: 'user',
  rateLimit: 'keys',
  query: VersionQuery,
  handler: ({ requester, query }, { e2ee }) => e2ee.keyBackup.delete(requester.userId, query.version, {}),
})
