import { route, reply } from '../route.js'

/** Gone from the specification since v1.18; older servers still call it. SPEC: https://spec.matrix.org/v1.17/server-server-api/#put_matrixfederationv1send_leaveroomideventid */
export const sendLeaveV1 = route({
  id: 'sendLeaveV1',
  method: 'PUT',
  paths: ['/_matrix/federation/v1/send_leave/{roomId}/{eventId}'],
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
    return reply({ body: [200, {}] })
  },
})
