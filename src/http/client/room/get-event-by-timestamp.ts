import { Type } from 'typebox'
import { route, v1 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event */
export const getEventByTimestamp = route({
  id: 'getEventByTimestamp',
  method: 'GET',
  paths: v1('/rooms/{roomId}/timestamp_to_event'),
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({
    ts: Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }),
    dir: Type.Union([Type.Literal('f'), Type.Literal('b')]),
  }),
  handler: ({ requester, params, query }, { eventByTime }) =>
    eventByTime.find(requester, { roomId: params['roomId']!, ts: query.ts, dir: query.dir }),
})
