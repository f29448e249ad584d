import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages */
export const getRoomEvents = route({
  id: 'getRoomEvents',
  method: 'GET',
  paths: v3('/rooms/{roomId}/messages'),
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({
    // Who may not see the room learns nothing else first.
    dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
    from: Type.Optional(Type.String()),
    to: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  handler: ({ requester, params, query }, { history, filters }) =>
    history.messages(requester, {
      roomId: params['roomId']!,
      dir: query.dir,
      from: query.from,
      to: query.to,
      limit: query.limit,
      filter: query.filter === undefined ? {} : filters.inline(query.filter),
    }),
})
