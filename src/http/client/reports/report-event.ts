import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { Reason } from './reason.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreporteventid */
export const reportEvent = route({
  id: 'reportEvent',
  method: 'POST',
  paths: v3('/rooms/{roomId}/report/{eventId}'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ reason: Type.Optional(Reason) }),
  async handler({ requester, params, body }, { reports }) {
    await reports.reportEvent(requester, params['roomId']!, params['eventId']!, body.reason ?? '')
    return {}
  },
})
