import { Type } from 'typebox'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

/** NOTSPEC: MSC4308. */
export const getThreadSubscriptions = route({
  id: 'getThreadSubscriptions',
  method: 'GET',
  paths: ['/_matrix/client/unstable/io.element.msc4308/thread_subscriptions'],
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({
    dir: Type.Literal('b'),
    from: Type.Optional(Short),
    to: Type.Optional(Short),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  handler: ({ requester, query: { from, to, limit = 100 } }, { threadSubscriptions }) =>
    threadSubscriptions.list(requester, { from, to, limit }),
})
