import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directoryroomroomalias */
export const setRoomAlias = route({
  id: 'setRoomAlias',
  method: 'PUT',
  paths: v3('/directory/room/{roomAlias}'),
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ room_id: Type.String({ maxLength: 255 }) }),
  async handler({ requester, params, body }, { aliases }) {
    await aliases.set(requester, params['roomAlias']!, body.room_id)
    return {}
  },
})
