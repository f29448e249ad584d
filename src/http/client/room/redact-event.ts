import { Type } from 'typebox'
import type { JsonObject } from '../../../core/json/value.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid */
export const redactEvent = route({
  id: 'redactEvent',
  method: 'PUT',
  paths: v3('/rooms/{roomId}/redact/{eventId}/{txnId}'),
  auth: 'user',
  rateLimit: 'message',
  body: Type.Object({ reason: Type.Optional(Type.String()) }),
  numbers: 'exact',
  handler({ requester, params, body }, { sending }) {
    const { reason, ...extra } = body
    return sending.redact(requester, {
      roomId: params['roomId']!,
      eventId: params['eventId']!,
      txnId: params['txnId']!,
      reason,
      extra: extra as JsonObject,
    })
  },
})
