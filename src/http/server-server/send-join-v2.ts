import { Type } from 'typebox'
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
  query: Type.Object({ omit_members: Type.Optional(Type.Boolean()) }),
  handler: async ({ origin, params, query, body }, { membershipServing }) =>
    textReply(
      await membershipServing.join(origin, {
        roomId: params['roomId']!,
        eventId: params['eventId']!,
        event: body,
        omitMembers: query.omit_members === true,
      }),
    ),
})
