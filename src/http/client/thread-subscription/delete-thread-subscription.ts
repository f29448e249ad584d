import { route } from '../../route.js'

/** NOTSPEC: MSC4306. */
export const deleteThreadSubscription = route({
  id: 'deleteThreadSubscription',
  method: 'DELETE',
  paths: ['/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription'],
  auth: 'user',
  rateLimit: 'write',
  handler: ({ requester, params }, { threadSubscriptions }) =>
    threadSubscriptions.unsubscribe(requester, { roomId: params['roomId']!, root: params['eventId']! }),
})
