import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directorylistroomroomid */
export const getRoomVisibilityOnDirectory = route({
  id: 'getRoomVisibilityOnDirectory',
  method: 'GET',
  paths: v3('/directory/list/room/{roomId}'),
  auth: 'none',
  rateLimit: 'read',
  handler: ({ params }, { publicRooms }) => publicRooms.visibility(params['roomId']!),
})
