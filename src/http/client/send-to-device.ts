import { Type } from 'typebox'
import { isObject } from '../../core/json/value.js'
import { badJson } from '../../core/errors.js'
import { route, v3 } from '../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid */
export const sendToDevice = route({
  id: 'sendToDevice',
  method: 'PUT',
  paths: v3('/sendToDevice/{eventType}/{txnId}'),
  auth: 'guest',
  rateLimit: 'message',
  maxBody: 8 * 1024 * 1024,
  maxValues: 50_000,
  body: Type.Object({ messages: Type.Unknown() }),
  handler({ requester, params, body }, { toDevice }) {
    const { messages } = body
    if (!isObject(messages)) throw badJson('messages is not an object')
    return toDevice.send(requester, params['eventType']!, params['txnId']!, messages)
  },
})
