import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

const MAX_LIMIT = 100

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3notifications */
export const getNotifications = route({
  id: 'getNotifications',
  method: 'GET',
  paths: v3('/notifications'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    from: Type.Optional(Type.String({ maxLength: 64 })),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    only: Type.Optional(Type.String({ maxLength: 64 })),
  }),
  handler: ({ requester, query }, { notifications }) =>
    notifications.list(requester, {
      from: query.from,
      limit: Math.min(query.limit ?? 20, MAX_LIMIT),
      only: query.only,
    }),
})
