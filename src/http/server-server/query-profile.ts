import { Type } from 'typebox'
import { route } from '../route.js'

/**
 * NOTSPEC: a member node may say for which of its users it asks; who hides their profile is then told to those alone who share a room with them.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1queryprofile
 */
export const queryProfile = route({
  id: 'queryProfile',
  method: 'GET',
  paths: ['/_matrix/federation/v1/query/profile'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    user_id: Type.String({ maxLength: 255 }),
    field: Type.Optional(Type.String({ maxLength: 255 })),
    'org.chancery.asker': Type.Optional(Type.String({ maxLength: 255 })),
  }),
  handler: ({ origin, query }, { profile }) =>
    profile.queryLocal(query.user_id, query.field, {
      kind: 'server',
      server: origin,
      userId: query['org.chancery.asker'],
    }),
})
