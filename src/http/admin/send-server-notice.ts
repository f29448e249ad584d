import { Type } from 'typebox'
import type { JsonObject } from '../../core/json/value.js'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

const body = Type.Object({
  user_id: Short,
  content: Type.Record(Type.String(), Type.Unknown()),
  type: Type.Optional(Short),
  state_key: Type.Optional(Short),
})

/** Not of the Matrix specification: an administrator tells a user something in the server's name. */
export const sendServerNotice = adminRoute({
  id: 'sendServerNotice',
  method: 'POST',
  paths: ['/_synapse/admin/v1/send_server_notice'],
  rateLimit: 'message',
  body,
  handler: ({ body: { user_id: userId, content, type, state_key: stateKey } }, { serverNotices }) =>
    serverNotices.send({ userId, content: content as JsonObject, type, stateKey }),
})

/** The same, once for each transaction id. */
export const putServerNotice = adminRoute({
  id: 'putServerNotice',
  method: 'PUT',
  paths: ['/_synapse/admin/v1/send_server_notice/{txnId}'],
  rateLimit: 'message',
  body,
  handler: (
    { requester, params, body: { user_id: userId, content, type, state_key: stateKey } },
    { serverNotices },
  ) =>
    serverNotices.send({
      userId,
      content: content as JsonObject,
      type,
      stateKey,
      once: { admin: requester.userId, txnId: params['txnId']! },
    }),
})
