import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversionversion */
export const getRoomKeysVersion = route({
  id: 'getRoomKeysVersion',
  method: 'GET',
  paths: v3('/room_keys/version/{version}'),
  auth: 'user',
  rateLimit: 'keys',
  handler: ({ requester, params }, { e2ee }) => e2ee.keyBackup.version(requester.userId, params['version']!),
})
