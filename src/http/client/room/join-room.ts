import { route, v3 } from '../../route.js'
import { JoinQuery, joinTarget, SignedJoinBody } from './join-target.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3joinroomidoralias */
export const joinRoom = route({
  id: 'joinRoom',
  method: 'POST',
  paths: v3('/join/{roomIdOrAlias}'),
  auth: 'user',
  rateLimit: 'join',
  query: JoinQuery,
  body: SignedJoinBody,
  handler: ({ requester, params, query, body }, { memberships }) =>
    memberships.join(requester, joinTarget(params['roomIdOrAlias']!, query, body)),
})
