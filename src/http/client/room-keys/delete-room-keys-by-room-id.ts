import { route, v3 } from '../../route.js'
import { VersionQuery } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3room_keyskeysroomid */
export const deleteRoomKeysByRoomId = route({
  id: 'deleteRoomKeysByRoomId',
  method: 'DELETE',
  paths: v3('/room_keys/keys/{roomId}'),
  auth: 'user',
  rateLimit: 'keys',
  query: VersionQuery,
  handler: ({ requester, params, query }, { e2ee }) =>
    e2ee.keyBackup.delete(requester.userId, query.version, { roomId: params['roomId']! }),
})
