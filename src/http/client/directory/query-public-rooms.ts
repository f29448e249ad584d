import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3publicrooms */
export const queryPublicRooms = route({
  id: 'queryPublicRooms',
  method: 'POST',
  paths: v3('/publicRooms'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({ server: Type.Optional(Type.String({ maxLength: 255 })) }),
  body: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String({ maxLength: 1_024 })),
    include_all_networks: Type.Optional(Type.Boolean()),
    third_party_instance_id: Type.Optional(Type.String({ maxLength: 255 })),
    filter: Type.Optional(
      Type.Object({
        generic_search_term: Type.Optional(Type.String({ maxLength: 255 })),
        room_types: Type.Optional(
          Type.Array(Type.Union([Type.String({ maxLength: 255 }), Type.Null()]), { maxItems: 100 }),
        ),
      }),
    ),
  }),
  handler: ({ query, body }, { publicRooms }) =>
    publicRooms.list({
      server: query.server,
      // 0 is no limit but ours.
      limit: body.limit || undefined,
      since: body.since || undefined,
      term: body.filter?.generic_search_term,
      roomTypes: body.filter?.room_types,
      network: body.third_party_instance_id,
      allNetworks: body.include_all_networks,
    }),
})
