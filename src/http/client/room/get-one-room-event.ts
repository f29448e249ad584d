import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomideventeventid */
export const getOneRoomEvent = route({
  id: 'getOneRoomEvent',
  method: 'GET',
  paths: v3('/rooms/{roomId}/event/{eventId}'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { history }) =>
    history.event(requester, params['roomId']!, params['eventId']!),
})
