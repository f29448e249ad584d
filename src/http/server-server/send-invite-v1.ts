import { route, reply } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1inviteroomideventid */
export const sendInviteV1 = route({
  id: 'sendInviteV1',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/invite/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'invite',
  body: 'object',
  numbers: 'exact',
  maxBody: 8 * 1024 * 1024,
  handler: async ({ origin, params, body }, { inviteServing }) =>
    reply({
      body: [
        200,
        await inviteServing.inviteV1(
          origin,
          { roomId: params['roomId']!, eventId: params['eventId']! },
          body,
        ),
      ],
    }),
})
