import { Type } from 'typebox'
import { invalidParam } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid */
export const postReceipt = route({
  id: 'postReceipt',
  method: 'POST',
  paths: v3('/rooms/{roomId}/receipt/{receiptType}/{eventId}'),
  auth: 'user',
  rateLimit: 'activity',
  body: Type.Object({ thread_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }),
  async handler({ requester, params, body }, { receipts }) {
    const type = params['receiptType']
    if (type !== 'm.read' && type !== 'm.read.private' && type !== 'm.fully_read') {
      throw invalidParam('The receipt type is m.read, m.read.private or m.fully_read')
    }
    await receipts.set(requester, {
      roomId: params['roomId']!,
      type,
      eventId: params['eventId']!,
      threadId: body.thread_id,
    })
    return {}
  },
})
