import { route, v1 } from '../../route.js'
import { relatingPage, relatingQuery } from './relating-query.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidrelationseventid */
export const getRelatingEvents = route({
  id: 'getRelatingEvents',
  method: 'GET',
  paths: v1('/rooms/{roomId}/relations/{eventId}'),
  auth: 'guest',
  rateLimit: 'read',
  query: relatingQuery,
  handler: ({ requester, params, query }, services) => relatingPage(requester, params, query, services),
})
