import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/**
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms
 * NOTSPEC: who wants another server asked must be logged in, so that nobody sends requests through this one unseen.
 */
export const getPublicRooms = route({
  id: 'getPublicRooms',
  method: 'GET',
  paths: v3('/publicRooms'),
  auth: 'optional-user',
  rateLimit: 'read',
  query: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String({ maxLength: 1_024 })),
    server: Type.Optional(Type.String({ maxLength: 255 })),
  }),
  handler: ({ requester, query }, { publicRooms }) =>
    publicRooms.list({
      server: query.server,
      isAnonymous: requester === undefined,
      // 0 is no limit but ours.
      limit: query.limit || undefined,
      since: query.since,
    }),
})
