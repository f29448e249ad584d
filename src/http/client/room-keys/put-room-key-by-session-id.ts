import { route, v3 } from '../../route.js'
import { MAX_KEYS_BODY, VersionQuery } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeysroomidsessionid */
export const putRoomKeyBySessionId = route({
  id: 'putRoomKeyBySessionId',
  method: 'PUT',
  paths: v3('/room_keys/keys/{roomId}/{sessionId}'),
  auth: 'user',
  rateLimit: 'keys',
  maxBody: MAX_KEYS_BODY,
  query: VersionQuery,
  body: 'object',
  handler: ({ requester, params, query, body }, { e2ee }) =>
    e2ee.keyBackup.put(
      requester.userId,
      query.version,
      { roomId: params['roomId']!, sessionId: params['sessionId']! },
      body,
    ),
})
