import { route, v3 } from '../../route.js'
import { JoinQuery, joinTarget, SignedJoinBody } from './join-target.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidjoin */
export const joinRoomById = route({
  id: 'joinRoomById',
  method: 'POST',
  paths: v3('/rooms/{roomId}/join'),
  auth: 'guest',
  rateLimit: 'join',
  query: JoinQuery,
  body: SignedJoinBody,
  handler: ({ requester, params, query, body }, { memberships }) =>
    memberships.join(requester, joinTarget(params['roomId']!, query, body)),
})
