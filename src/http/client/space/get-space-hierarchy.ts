import { Type } from 'typebox'
import { route, unstable, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy */
export const getSpaceHierarchy = route({
  id: 'getSpaceHierarchy',
  method: 'GET',
  paths: [...v1('/rooms/{roomId}/hierarchy'), ...unstable('/org.matrix.msc2946/rooms/{roomId}/hierarchy')],
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({
    suggested_only: Type.Optional(Type.Boolean()),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    max_depth: Type.Optional(Type.Integer({ minimum: 0 })),
    from: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  handler: ({ requester, params, query, request }, { spaces }) =>
    spaces.hierarchy.page(requester, {
      roomId: params['roomId']!,
      suggestedOnly: query.suggested_only,
      limit: query.limit,
      maxDepth: query.max_depth,
      from: query.from,
      signal: request.signal,
    }),
})
