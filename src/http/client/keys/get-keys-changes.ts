import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges */
export const getKeysChanges = route({
  id: 'getKeysChanges',
  method: 'GET',
  paths: v3('/keys/changes'),
  auth: 'user',
  rateLimit: 'keys',
  query: Type.Object({ from: Type.String({ maxLength: 1_000 }), to: Type.String({ maxLength: 1_000 }) }),
  handler: ({ requester, query }, { e2ee }) => e2ee.keysChanges(requester.userId, query.from, query.to),
})
