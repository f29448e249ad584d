import { route, v3 } from '../../route.js'
import { MAX_KEYS_BODY, MAX_KEYS_VALUES, VersionQuery } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keyskeys */
export const putRoomKeys = route({
  id: 'putRoomKeys',
  method: 'PUT',
  paths: v3('/room_keys/keys'),
  auth: 'user',
  rateLimit: 'keys',
  maxBody: MAX_KEYS_BODY,
  maxValues: MAX_KEYS_VALUES,
  query: VersionQuery,
  body: 'object',
  handler: ({ requester, query, body }, { e2ee }) =>
    e2ee.keyBackup.put(requester.userId, query.version, {}, body),
})
