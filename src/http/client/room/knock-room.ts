import { route, v3 } from '../../route.js'
import { JoinBody, JoinQuery, joinTarget } from './join-target.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3knockroomidoralias */
export const knockRoom = route({
  id: 'knockRoom',
  method: 'POST',
  paths: v3('/knock/{roomIdOrAlias}'),
  auth: 'user',
  rateLimit: 'join',
  query: JoinQuery,
  body: JoinBody,
  handler: ({ requester, params, query, body }, { memberships }) =>
    memberships.knock(requester, joinTarget(params['roomIdOrAlias']!, query, body)),
})
