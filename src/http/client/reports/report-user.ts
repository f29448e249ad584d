import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { Reason } from './reason.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3usersuseridreport */
export const reportUser = route({
  id: 'reportUser',
  method: 'POST',
  paths: v3('/users/{userId}/report'),
  auth: 'user',
  rateLimit: 'write',
  maxBody: 64 * 1024,
  body: Type.Object({ reason: Reason }),
  async handler({ requester, params, body }, { reports }) {
    await reports.reportUser(requester, params['userId']!, body.reason)
    return {}
  },
})
