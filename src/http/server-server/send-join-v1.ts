import { inPair, textReply } from './text-reply.js'
import { route } from '../route.js'

/** Gone from the specification since v1.18; older servers still call it. SPEC: https://spec.matrix.org/v1.17/server-server-api/#put_matrixfederationv1send_joinroomideventid */
export const sendJoinV1 = route({
  id: 'sendJoinV1',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/send_join/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'federation',
  body: 'object',
  numbers: 'exact',
  handler: async ({ origin, params, body }, { membershipServing }) =>
    textReply(
      inPair(
        await membershipServing.join(origin, {
          roomId: params['roomId']!,
          eventId: params['eventId']!,
          event: body,
        }),
      ),
    ),
})
