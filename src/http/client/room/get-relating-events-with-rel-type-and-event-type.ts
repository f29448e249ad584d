import { route, v1 } from '../../route.js'
import { relatingPage, relatingQuery } from './relating-query.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventidreltypeeventtype */
export const getRelatingEventsWithRelTypeAndEventType = route({
  id: 'getRelatingEventsWithRelTypeAndEventType',
  method: 'GET',
  paths: v1('/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}'),
  auth: 'guest',
  rateLimit: 'read',
  query: relatingQuery,
  handler: ({ requester, params, query }, services) => relatingPage(requester, params, query, services),
})
