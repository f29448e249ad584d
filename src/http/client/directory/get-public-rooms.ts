import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms */
export const getPublicRooms = route({
  id: 'getPublicRooms',
  method: 'GET',
  paths: v3('/publicRooms'),
  auth: 'none',
  rateLimit: 'read',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    since: Type.Optional(Type.String()),
    server: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  handler: ({ query }, { publicRooms }) =>
    publicRooms.list({ server: query.server, limit: query.limit, since: query.since }),
})
