import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid */
export const backfillRoom = route({
  id: 'backfillRoom',
  method: 'GET',
  paths: ['/_matrix/federation/v1/backfill/{roomId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    v: Type.Array(Type.String({ maxLength: 255 }), { minItems: 1, maxItems: 100 }),
    limit: Type.Integer({ minimum: 1 }),
  }),
  handler: ({ origin, params, query }, { federationReads }) =>
    federationReads.backfill(origin, params['roomId']!, { eventIds: query.v, limit: query.limit }),
})
