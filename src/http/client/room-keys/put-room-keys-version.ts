import { Type } from 'typebox'
import { optional, Short } from '../../validate.js'
import { route, v3 } from '../../route.js'
import { JsonObjectBody, jsonObjectOf } from './bodies.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3room_keysversionversion */
export const putRoomKeysVersion = route({
  id: 'putRoomKeysVersion',
  method: 'PUT',
  paths: v3('/room_keys/version/{version}'),
  auth: 'user',
  rateLimit: 'keys',
  maxBody: 256 * 1024,
  body: Type.Object({ algorithm: Short, auth_data: JsonObjectBody, version: optional(Short) }),
  async handler({ requester, params, body }, { e2ee }) {
    await e2ee.keyBackup.updateVersion(requester.userId, params['version']!, jsonObjectOf(body))
    return {}
  },
})
