import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keysversion */
export const getRoomKeysVersionCurrent = route({
  id: 'getRoomKeysVersionCurrent',
  method: 'GET',
  paths: v3('/room_keys/version'),
  auth: 'user',
  rateLimit: 'keys',
  handler: ({ requester }, { e2ee }) => e2ee.keyBackup.version(requester.userId),
})
