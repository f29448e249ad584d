import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile */
export const queryProfile = route({
  id: 'queryProfile',
  method: 'GET',
  paths: ['/_matrix/federation/v1/query/profile'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    user_id: Type.String({ maxLength: 255 }),
    field: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  handler: ({ query }, { profile }) => profile.queryLocal(query.user_id, query.field),
})
