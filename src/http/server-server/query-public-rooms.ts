import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1publicrooms */
export const queryPublicRooms = route({
  id: 'queryPublicRooms',
  method: 'POST',
  paths: ['/_matrix/federation/v1/publicRooms'],
  auth: 'server',
  rateLimit: 'federation',
  numbers: 'exact',
  body: Type.Object({
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
    since: Type.Optional(Type.String({ maxLength: 1_024 })),
    include_all_networks: Type.Optional(Type.Boolean()),
    third_party_instance_id: Type.Optional(Type.String({ maxLength: 1_024 })),
    filter: Type.Optional(
      Type.Object({
        generic_search_term: Type.Optional(Type.String({ maxLength: 1_024 })),
        room_types: Type.Optional(
          Type.Array(Type.Union([Type.String({ maxLength: 255 }), Type.Null()]), { maxItems: 100 }),
        ),
      }),
    ),
  }),
  handler: ({ origin, body }, { publicRooms }) =>
    publicRooms.list({
      origin,
      limit: body.limit === 0 ? undefined : body.limit,
      since: body.since,
      term: body.filter?.generic_search_term,
      roomTypes: body.filter?.room_types,
      network: body.third_party_instance_id,
      allNetworks: body.include_all_networks,
    }),
})
