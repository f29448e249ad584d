import { adminRoute } from './admin-route.js'

/** Who has joined a room. */
export const adminRoomMembers = adminRoute({
  id: 'adminRoomMembers',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/{roomId}/members'],
  rateLimit: 'read',
  async handler({ params }, { administration }) {
    const members = await administration.rooms.members(params['roomId']!)
    return { members, total: members.length }
  },
})
