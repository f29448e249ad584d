import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1send_knockroomideventid */
export const sendKnock = route({
  id: 'sendKnock',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/send_knock/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'federation',
  body: 'object',
  numbers: 'exact',
  handler: ({ origin, params, body }, { membershipServing }) =>
    membershipServing.knock(origin, {
      roomId: params['roomId']!,
      eventId: params['eventId']!,
      event: body,
    }),
})
