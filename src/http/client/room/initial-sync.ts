import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3initialsync */
export const initialSync = route({
  id: 'initialSync',
  method: 'GET',
  paths: v3('/initialSync'),
  auth: 'guest',
  rateLimit: 'sync',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    archived: Type.Optional(Type.Boolean()),
  }),
  handler: ({ requester, query }, services) =>
    services.initialSync.all(requester, { limit: query.limit, archived: query.archived ?? false }),
})
