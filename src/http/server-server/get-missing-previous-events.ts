import { Type } from 'typebox'
import { route } from '../route.js'

const Ids = Type.Array(Type.String({ maxLength: 255 }), { maxItems: 1_000 })

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid */
export const getMissingPreviousEvents = route({
  id: 'getMissingPreviousEvents',
  method: 'POST',
  paths: ['/_matrix/federation/v1/get_missing_events/{roomId}'],
  auth: 'server',
  rateLimit: 'federation',
  numbers: 'exact',
  body: Type.Object({
    latest_events: Ids,
    earliest_events: Ids,
    limit: Type.Optional(Type.Integer()),
    min_depth: Type.Optional(Type.Integer()),
  }),
  handler: ({ origin, params, body }, { federationReads }) =>
    federationReads.missingEvents(origin, params['roomId']!, {
      latest: body.latest_events,
      earliest: body.earliest_events,
      limit: body.limit,
      minDepth: body.min_depth,
    }),
})
