import { Type } from 'typebox'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

/** NOTSPEC: MSC4306. */
export const putThreadSubscription = route({
  id: 'putThreadSubscription',
  method: 'PUT',
  paths: ['/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription'],
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ automatic: Type.Optional(Short) }),
  handler: ({ requester, params, body }, { threadSubscriptions }) =>
    threadSubscriptions.subscribe(
      requester,
      { roomId: params['roomId']!, root: params['eventId']! },
      body.automatic,
    ),
})
