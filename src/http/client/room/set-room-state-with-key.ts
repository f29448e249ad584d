import { Type } from 'typebox'
import { route, v3 } from '../../route.js'
import { DELAY } from './delay.js'
import { STICKY_MS } from './sticky.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey */
export const setRoomStateWithKey = route({
  id: 'setRoomStateWithKey',
  method: 'PUT',
  paths: [
    ...v3('/rooms/{roomId}/state/{eventType}/{stateKey}'),
    // Without a key the key is empty; with and without the last slash.
    ...v3('/rooms/{roomId}/state/{eventType}/'),
    ...v3('/rooms/{roomId}/state/{eventType}'),
  ],
  auth: 'guest',
  rateLimit: 'message',
  // As the time of an event, at most 2^53 - 1.
  query: Type.Object({
    ts: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    'org.matrix.msc4140.delay': Type.Optional(DELAY),
    'org.matrix.msc4354.sticky_duration_ms': Type.Optional(STICKY_MS),
  }),
  body: 'object',
  // An event has at most 64 KiB; escapes may make its JSON longer.
  maxBody: 256 * 1024,
  numbers: 'exact',
  handler({ requester, params, query, body }, { sending, memberships, delayedEvents }): Promise<object> {
    const roomId = params['roomId']!
    const type = params['eventType']!
    const stateKey = params['stateKey'] ?? ''
    const stickyMs = query['org.matrix.msc4354.sticky_duration_ms']
    const delayMs = query['org.matrix.msc4140.delay']
    if (delayMs !== undefined) {
      const input = { roomId, type, stateKey, content: body, ts: query.ts, stickyMs, delayMs }
      return delayedEvents.schedule(requester, input)
    }
    if (type === 'm.room.member')
      return memberships.put(requester, { roomId, userId: stateKey, content: body, ts: query.ts })
    return sending.state(requester, { roomId, type, stateKey, content: body, ts: query.ts, stickyMs })
  },
})
