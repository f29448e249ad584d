import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1publicrooms */
export const getPublicRooms = route({
  id: 'getPublicRooms',
  method: 'GET',
  paths: ['/_matrix/federation/v1/publicRooms'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String({ maxLength: 1_024 })),
  }),
  handler: ({ origin, query }, { publicRooms }) =>
    // 0 is no limit but ours.
    publicRooms.list({ origin, limit: query.limit === 0 ? undefined : query.limit, since: query.since }),
})
