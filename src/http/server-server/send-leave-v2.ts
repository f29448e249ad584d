import { route } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv2send_leaveroomideventid */
export const sendLeaveV2 = route({
  id: 'sendLeaveV2',
  method: 'PUT',
  paths: ['/_matrix/federation/v2/send_leave/{roomId}/{eventId}'],
  auth: 'server',
  rateLimit: 'federation',
  body: 'object',
  numbers: 'exact',
  handler: async ({ origin, params, body }, { membershipServing }) => {
    await membershipServing.leave(origin, {
      roomId: params['roomId']!,
      eventId: params['eventId']!,
      event: body,
    })
    return {}
  },
})
