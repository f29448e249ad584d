import { Type } from 'typebox'
import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidthreads */
export const getThreadRoots = route({
  id: 'getThreadRoots',
  method: 'GET',
  paths: v1('/rooms/{roomId}/threads'),
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({
    include: Type.Optional(Type.Union([Type.Literal('all'), Type.Literal('participated')])),
    from: Type.Optional(Type.String({ maxLength: 255 })),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  handler: ({ requester, params, query }, { relations }) =>
    relations.threads.page(requester, {
      roomId: params['roomId']!,
      include: query.include ?? 'all',
      from: query.from,
      limit: query.limit,
    }),
})
