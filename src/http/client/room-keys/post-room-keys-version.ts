import { Type } from 'typebox'
import { Short } from '../../validate.js'
import { route, v3 } from '../../route.js'
import { JsonObjectBody, jsonObjectOf } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3room_keysversion */
export const postRoomKeysVersion = route({
  id: 'postRoomKeysVersion',
  method: 'POST',
  paths: v3('/room_keys/version'),
  auth: 'user',
  rateLimit: 'keys',
  maxBody: 256 * 1024,
  body: Type.Object({ algorithm: Short, auth_data: JsonObjectBody }),
  handler: ({ requester, body }, { e2ee }) =>
    e2ee.keyBackup.createVersion(requester.userId, body.algorithm, jsonObjectOf(body.auth_data)),
})
