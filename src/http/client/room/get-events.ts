import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/**
 * `peekEvents` too: the same path, with a room.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3events
 */
export const getEvents = route({
  id: 'getEvents',
  method: 'GET',
  paths: v3('/events'),
  auth: 'guest',
  rateLimit: 'sync',
  query: Type.Object({
    from: Type.Optional(Type.String({ maxLength: 255 })),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
    room_id: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  handler: ({ requester, query, request }, { eventStream }) =>
    eventStream.next(requester, {
      from: query.from,
      roomId: query.room_id,
      timeoutMs: query.timeout ?? 0,
      signal: request.signal,
      stillAllowed: request.stillAllowed,
    }),
})
