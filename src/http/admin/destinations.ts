import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'
import { pageOf, PAGING } from './paging.js'

const path = '/_synapse/admin/v1/federation/destinations'
const ORDERS = ['destination', 'retry_last_ts', 'retry_interval', 'failure_ts'] as const

/** Servers that share a room with this one or that something waits for, and how sending to them goes. */
export const adminListDestinations = adminRoute({
  id: 'adminListDestinations',
  method: 'GET',
  paths: [path],
  rateLimit: 'read',
  query: Type.Object({
    ...PAGING,
    order_by: Type.Optional(Type.Enum([...ORDERS, 'last_successful_stream_ordering'])),
    destination: Type.Optional(Short),
  }),
  handler: ({ query }, { administration }) =>
    administration.destinations.list({
      ...pageOf(query),
      order: ORDERS.find((order) => order === query.order_by) ?? 'destination',
      term: query.destination,
    }),
})

export const adminGetDestination = adminRoute({
  id: 'adminGetDestination',
  method: 'GET',
  paths: [`${path}/{destination}`],
  rateLimit: 'read',
  handler: ({ params }, { administration }) => administration.destinations.details(params['destination']!),
})

/** The rooms that a server is in too. */
export const adminDestinationRooms = adminRoute({
  id: 'adminDestinationRooms',
  method: 'GET',
  paths: [`${path}/{destination}/rooms`],
  rateLimit: 'read',
  query: Type.Object(PAGING),
  handler: ({ params, query }, { administration }) =>
    administration.destinations.rooms(params['destination']!, pageOf(query)),
})

/** Tries a server again at once that is left alone because it failed. */
export const adminResetDestination = adminRoute({
  id: 'adminResetDestination',
  method: 'POST',
  paths: [`${path}/{destination}/reset_connection`],
  rateLimit: 'write',
  async handler({ params }, { administration }) {
    await administration.destinations.tryAgain(params['destination']!)
    return {}
  },
})
