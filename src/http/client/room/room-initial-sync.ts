import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidinitialsync */
export const roomInitialSync = route({
  id: 'roomInitialSync',
  method: 'GET',
  paths: v3('/rooms/{roomId}/initialSync'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, services) => services.initialSync.room(requester, params['roomId']!),
})
