import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

/** A room's state as it is, or what it has of one type. */
export const adminRoomState = adminRoute({
  id: 'adminRoomState',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/{roomId}/state'],
  rateLimit: 'read',
  query: Type.Object({ type: Type.Optional(Short) }),
  handler: async ({ params, query: { type } }, { administration }) => ({
    state: await administration.rooms.state(params['roomId']!, type),
  }),
})
