import { route, v3 } from '../../route.js'

/**
 * Who has no part in a room that is not listed is told that there is none: so a token may be given, which the specification does not ask for.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3directorylistroomroomid
 */
export const getRoomVisibilityOnDirectory = route({
  id: 'getRoomVisibilityOnDirectory',
  method: 'GET',
  paths: v3('/directory/list/room/{roomId}'),
  auth: 'optional-user',
  rateLimit: 'read',
  handler: ({ requester, params }, { publicRooms }) => publicRooms.visibility(requester, params['roomId']!),
})
