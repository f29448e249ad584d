import { adminRoute } from './admin-route.js'

/** The events that a room's next one follows. NOTSPEC: they are not deleted: who writes next joins them all. */
export const adminForwardExtremities = adminRoute({
  id: 'adminForwardExtremities',
  method: 'GET',
  paths: ['/_synapse/admin/v1/rooms/{roomIdOrAlias}/forward_extremities'],
  rateLimit: 'read',
  async handler({ params }, { administration }) {
    const results = await administration.rooms.heads(params['roomIdOrAlias']!)
    return { count: results.length, results }
  },
})
