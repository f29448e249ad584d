import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid */
export const getEvent = route({
  id: 'getEvent',
  method: 'GET',
  paths: ['/_matrix/federation/v1/event/{eventId}'],
  auth: 'server',
  rateLimit: 'federation',
  handler: ({ origin, params }, { federationReads }) => federationReads.event(origin, params['eventId']!),
})
