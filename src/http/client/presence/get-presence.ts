import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3presenceuseridstatus */
export const getPresence = route({
  id: 'getPresence',
  method: 'GET',
  paths: v3('/presence/{userId}/status'),
  auth: 'user',
  rateLimit: 'read',
  handler: ({ requester, params }, { presence }) => presence.get(requester, params['userId']!),
})
