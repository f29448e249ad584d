import { Type } from 'typebox'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid */
export const getEventByTimestamp = route({
  id: 'getEventByTimestamp',
  method: 'GET',
  paths: ['/_matrix/federation/v1/timestamp_to_event/{roomId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    ts: Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    dir: Type.Union([Type.Literal('f'), Type.Literal('b')]),
  }),
  handler: ({ origin, params, query }, { eventByTimeServing }) =>
    eventByTimeServing(origin, { roomId: params['roomId']!, ts: query.ts, dir: query.dir }),
})
