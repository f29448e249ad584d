import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

/** Gives somebody (default: who asks) the power in a room that a user of this server there can give. */
export const adminMakeRoomAdmin = adminRoute({
  id: 'adminMakeRoomAdmin',
  method: 'POST',
  paths: ['/_synapse/admin/v1/rooms/{roomIdOrAlias}/make_room_admin'],
  rateLimit: 'write',
  body: Type.Object({ user_id: Type.Optional(Type.Union([Short, Type.Null()])) }),
  async handler({ requester, params, body }, { administration }) {
    await administration.roomPower.makeAdmin(params['roomIdOrAlias']!, body.user_id ?? requester.userId)
    return {}
  },
})
