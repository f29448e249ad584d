import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3joinedrooms */
export const getJoinedRooms = route({
  id: 'getJoinedRooms',
  method: 'GET',
  paths: v3('/joined_rooms'),
  auth: 'guest',
  rateLimit: 'read',
  async handler({ requester }, { memberships }) {
    return { joined_rooms: await memberships.joinedRooms(requester.userId) }
  },
})
