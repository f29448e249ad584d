import { adminRoute } from './admin-route.js'

/** The ten rooms whose events take most of the database. */
export const adminDatabaseStatistics = adminRoute({
  id: 'adminDatabaseStatistics',
  method: 'GET',
  paths: ['/_synapse/admin/v1/statistics/database/rooms'],
  rateLimit: 'read',
  handler: async (_call, { administration }) => ({ rooms: await administration.databaseSize.largestRooms() }),
})
