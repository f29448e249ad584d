import { route, v3 } from '../../route.js'
import { VersionQuery } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid */
export const getRoomKeyBySessionId = route({
  id: 'getRoomKeyBySessionId',
  method: 'GET',
  paths: v3('/room_keys/keys/{roomId}/{sessionId}'),
  auth: 'user',
  rateLimit: 'keys',
  query: VersionQuery,
  handler: ({ requester, params, query }, { e2ee }) =>
    e2ee.keyBackup.session(requester.userId, query.version, params['roomId']!, params['sessionId']!),
})
