import { textReply } from './text-reply.js'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid */
export const getEventAuth = route({
  id: 'getEventAuth',
  method: 'GET',
  paths: ['/_matrix/federation/v1/event_auth/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'federation',
  handler: async ({ origin, params }, { federationReads }) =>
    textReply(await federationReads.eventAuth(origin, params['roomId']!, params['eventId']!)),
})
