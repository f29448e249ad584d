import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3presenceuseridstatus */
export const setPresence = route({
  id: 'setPresence',
  method: 'PUT',
  paths: v3('/presence/{userId}/status'),
  auth: 'user',
  rateLimit: 'activity',
  body: Type.Object({
    presence: Type.Union([Type.Literal('online'), Type.Literal('offline'), Type.Literal('unavailable')]),
    status_msg: Type.Optional(Type.Union([Type.String({ maxLength: 1024 }), Type.Null()])),
  }),
  handler({ requester, params, body }, { presence }) {
    presence.set(requester, params['userId']!, {
      presence: body.presence,
      statusMsg: body.status_msg ?? undefined,
    })
    return Promise.resolve({})
  },
})
