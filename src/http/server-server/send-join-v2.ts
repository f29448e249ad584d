import { textReply } from './text-reply.js'
import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_joinroomideventid */
export const sendJoinV2 = route({
  id: 'sendJoinV2',
  method: 'PUT',
  paths: ['/_matrix/federation/v2/send_join/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'federation',
  body: 'object',
  numbers: 'exact',
  handler: async ({ origin, params, body }, { membershipServing }) =>
    textReply(
      await membershipServing.join(origin, {
        roomId: params['roomId']!,
        eventId: params['eventId']!,
        event: body,
      }),
    ),
})
