import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_leaveroomiduserid */
export const makeLeave = route({
  id: 'makeLeave',
  method: 'GET',
  paths: ['/_matrix/federation/v1/make_leave/{roomId}/{userId}'],
  auth: 'server',
  rateLimit: 'federation',
  handler: ({ origin, params }, { membershipServing }) =>
    membershipServing.template(origin, 'leave', { roomId: params['roomId']!, userId: params['userId']! }),
})
