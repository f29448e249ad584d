import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

/** Lets a user of this server join a room. */
export const adminJoinRoom = adminRoute({
  id: 'adminJoinRoom',
  method: 'POST',
  paths: ['/_synapse/admin/v1/join/{roomIdOrAlias}'],
  rateLimit: 'join',
  body: Type.Object({ user_id: Short }),
  handler: ({ requester, params, body }, { administration }) =>
    administration.roomPower.join(requester, params['roomIdOrAlias']!, body.user_id),
})
