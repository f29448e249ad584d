import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3directorylistroomroomid */
export const setRoomVisibilityOnDirectory = route({
  id: 'setRoomVisibilityOnDirectory',
  method: 'PUT',
  paths: v3('/directory/list/room/{roomId}'),
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({
    visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
  }),
  async handler({ requester, params, body }, { publicRooms }) {
    await publicRooms.setVisibility(requester, params['roomId']!, body.visibility ?? 'public')
    return {}
  },
})
