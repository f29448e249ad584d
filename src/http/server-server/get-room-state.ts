import { Type } from 'typebox'
import { textReply } from './text-reply.js'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid */
export const getRoomState = route({
  id: 'getRoomState',
  method: 'GET',
  paths: ['/_matrix/federation/v1/state/{roomId}'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({ event_id: Type.String({ maxLength: 255 }) }),
  handler: async ({ origin, params, query }, { federationReads }) =>
    textReply(await federationReads.state(origin, params['roomId']!, query.event_id)),
})
