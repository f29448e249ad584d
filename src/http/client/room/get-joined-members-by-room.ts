import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidjoinedmembers */
export const getJoinedMembersByRoom = route({
  id: 'getJoinedMembersByRoom',
  method: 'GET',
  paths: v3('/rooms/{roomId}/joined_members'),
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { history }) => history.joinedMembers(requester, params['roomId']!),
})
