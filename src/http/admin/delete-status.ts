import { adminRoute } from './admin-route.js'

/** How far the removals of a room are. */
export const adminRoomDeleteStatus = adminRoute({
  id: 'adminRoomDeleteStatus',
  method: 'GET',
  paths: ['/_synapse/admin/v2/rooms/{roomId}/delete_status'],
  rateLimit: 'read',
  handler: async ({ params }, { administration }) => ({
    results: await administration.roomRemoval.statusOf(params['roomId']!),
  }),
})

/** How far one removal is. */
export const adminDeleteStatus = adminRoute({
  id: 'adminDeleteStatus',
  method: 'GET',
  paths: ['/_synapse/admin/v2/rooms/delete_status/{deleteId}'],
  rateLimit: 'read',
  handler: ({ params }, { administration }) => administration.roomRemoval.status(params['deleteId']!),
})
