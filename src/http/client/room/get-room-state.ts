import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidstate */
export const getRoomState = route({
  id: 'getRoomState',
  method: 'GET',
  paths: v3('/rooms/{roomId}/state'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { history }) => history.state(requester, params['roomId']!),
})
