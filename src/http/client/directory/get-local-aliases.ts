import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidaliases */
export const getLocalAliases = route({
  id: 'getLocalAliases',
  method: 'GET',
  paths: v3('/rooms/{roomId}/aliases'),
  auth: 'user',
  rateLimit: 'read',
  handler: ({ requester, params }, { aliases }) => aliases.list(requester, params['roomId']!),
})
