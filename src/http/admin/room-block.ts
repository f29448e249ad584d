import { Type } from 'typebox'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/rooms/{roomId}/block'

/** Whether nobody of this server comes into a room. */
export const adminGetRoomBlock = adminRoute({
  id: 'adminGetRoomBlock',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  async handler({ params }, { administration }) {
    const by = await administration.rooms.blockedBy(params['roomId']!)
    return by === undefined ? { block: false } : { block: true, user_id: by }
  },
})

/** Blocks a room, which need not be known here, or lets people in again. Who is in it stays. */
export const adminPutRoomBlock = adminRoute({
  id: 'adminPutRoomBlock',
  method: 'PUT',
  paths: [path],
  rateLimit: 'write',
  body: Type.Object({ block: Type.Boolean() }),
  async handler({ requester, params, body: { block } }, { administration }) {
    await administration.rooms.block(requester.userId, params['roomId']!, block)
    return { block }
  },
})
