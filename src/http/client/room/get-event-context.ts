import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidcontexteventid */
export const getEventContext = route({
  id: 'getEventContext',
  method: 'GET',
  paths: v3('/rooms/{roomId}/context/{eventId}'),
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    filter: Type.Optional(Type.String()),
  }),
  handler: ({ requester, params, query }, { history, filters }) =>
    history.context(requester, {
      roomId: params['roomId']!,
      eventId: params['eventId']!,
      limit: query.limit ?? 10,
      filter: query.filter === undefined ? {} : filters.inline(query.filter),
    }),
})
