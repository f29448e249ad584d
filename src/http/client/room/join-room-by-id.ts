import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidjoin */
export const joinRoomById = route({
  id: 'joinRoomById',
  method: 'POST',
  paths: v3('/rooms/{roomId}/join'),
  auth: 'user',
  rateLimit: 'join',
  query: Type.Object({
    via: Type.Optional(Type.Array(Type.String(), { maxItems: 50 })),
    server_name: Type.Optional(Type.Array(Type.String(), { maxItems: 50 })),
  }),
  body: Type.Object({ reason: Type.Optional(Type.String({ maxLength: 4096 })) }),
  handler: ({ requester, params, query, body }, { memberships }) =>
    memberships.join(requester, {
      room: params['roomId']!,
      via: query.via ?? query.server_name ?? [],
      reason: body.reason,
    }),
})
