import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1make_knockroomiduserid */
export const makeKnock = route({
  id: 'makeKnock',
  method: 'GET',
  paths: ['/_matrix/federation/v1/make_knock/{roomId}/{userId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({ ver: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 100 })) }),
  handler: ({ origin, params, query }, { membershipServing }) =>
    membershipServing.template(origin, 'knock', {
      roomId: params['roomId']!,
      userId: params['userId']!,
      ...(query.ver === undefined ? {} : { versions: query.ver }),
    }),
})
