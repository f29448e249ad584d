import { MessagesQuery } from '../../messages-query.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmessages */
export const getRoomEvents = route({
  id: 'getRoomEvents',
  method: 'GET',
  paths: v3('/rooms/{roomId}/messages'),
  auth: 'guest',
  rateLimit: 'read',
  query: MessagesQuery,
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
