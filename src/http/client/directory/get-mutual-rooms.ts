import { Type } from 'typebox'
import { route, v1 } from '../../route.js'

/**
 * The second path is the one that clients know from before the release (MSC2666), with its names for what goes on.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mutual_rooms
 */
export const getMutualRooms = route({
  id: 'getMutualRooms',
  method: 'GET',
  paths: [...v1('/mutual_rooms'), '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms'],
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    user_id: Type.String({ maxLength: 1_024 }),
    from: Type.Optional(Type.String({ maxLength: 1_024 })),
    batch_token: Type.Optional(Type.String({ maxLength: 1_024 })),
  }),
  async handler({ requester, query }, { mutualRooms }) {
    const from = query.from ?? query.batch_token
    const page = await mutualRooms.with(requester.userId, query.user_id, from)
    return page.next_batch === undefined ? page : { ...page, next_batch_token: page.next_batch }
  },
})
