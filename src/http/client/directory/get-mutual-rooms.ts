import { Type } from 'typebox'
import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms */
export const getMutualRooms = route({
  id: 'getMutualRooms',
  method: 'GET',
  paths: v1('/mutual_rooms'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    user_id: Type.String({ maxLength: 1_024 }),
    from: Type.Optional(Type.String({ maxLength: 1_024 })),
  }),
  async handler({ requester, query }, { mutualRooms }) {
    return await mutualRooms.with(requester.userId, query.user_id, query.from)
  },
})
