import { route } from '../../route.js'

/** NOTSPEC: MSC4306. */
export const getThreadSubscription = route({
  id: 'getThreadSubscription',
  method: 'GET',
  paths: ['/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription'],
  auth: 'user',
  rateLimit: 'read',
  handler: ({ requester, params }, { threadSubscriptions }) =>
    threadSubscriptions.get(requester, { roomId: params['roomId']!, root: params['eventId']! }),
})
