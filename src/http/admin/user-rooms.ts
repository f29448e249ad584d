import { adminRoute } from './admin-route.js'

/** The rooms that somebody is in, of this server or of another whose users are known here. */
export const adminUserJoinedRooms = adminRoute({
  id: 'adminUserJoinedRooms',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/{userId}/joined_rooms'],
  rateLimit: 'read',
  async handler({ params }, { administration }) {
    const rooms = Object.entries(await administration.userData.memberships(params['userId']!))
    const joined = rooms.filter(([, membership]) => membership === 'join').map(([roomId]) => roomId)
    return { joined_rooms: joined, total: joined.length }
  },
})

/** The same with every other membership. */
export const adminUserMemberships = adminRoute({
  id: 'adminUserMemberships',
  method: 'GET',
  paths: ['/_synapse/admin/v1/users/{userId}/memberships'],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) => ({
    memberships: await administration.userData.memberships(params['userId']!),
  }),
})
