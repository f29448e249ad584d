import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1querydirectory */
export const queryRoomDirectory = route({
  id: 'queryRoomDirectory',
  method: 'GET',
  paths: ['/_matrix/federation/v1/query/directory'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({ room_alias: Type.String({ maxLength: 255 }) }),
  handler: ({ query }, { aliases }) => aliases.resolveLocal(query.room_alias),
})
