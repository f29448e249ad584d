import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2inviteroomideventid */
export const sendInviteV2 = route({
  id: 'sendInviteV2',
  method: 'PUT',
  paths: ['/_matrix/federation/v2/invite/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'invite',
  body: 'object',
  numbers: 'exact',
  // Up to a hundred whole events come with the invite.
  maxBody: 8 * 1024 * 1024,
  handler: ({ origin, params, body }, { inviteServing }) =>
    inviteServing.invite(origin, { roomId: params['roomId']!, eventId: params['eventId']! }, body),
})
