import { Type } from 'typebox'
import type { JsonObject } from '../../../core/json/value.js'
import { route } from '../../route.js'
import { DELAY } from '../room/delay.js'
import { STICKY_MS } from '../room/sticky.js'

/** NOTSPEC: MSC4140, by the path that its present text gives it. */
export const scheduleDelayedEvent = route({
  id: 'scheduleDelayedEvent',
  method: 'PUT',
  paths: ['/_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}'],
  auth: 'guest',
  rateLimit: 'message',
  // As the time of an event, at most 2^53 - 1.
  query: Type.Object({
    ts: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
    'org.matrix.msc4354.sticky_duration_ms': Type.Optional(STICKY_MS),
  }),
  body: Type.Object({
    delay_ms: DELAY,
    state_key: Type.Optional(Type.String({ maxLength: 255 })),
    content: Type.Object({}, { additionalProperties: true }),
  }),
  maxBody: 256 * 1024,
  numbers: 'exact',
  handler: ({ requester, params, query, body }, { delayedEvents }) =>
    delayedEvents.schedule(requester, {
      roomId: params['roomId']!,
      type: params['eventType']!,
      txnId: params['txnId']!,
      stateKey: body.state_key,
      content: body.content as JsonObject,
      delayMs: body.delay_ms,
      ts: query.ts,
      stickyMs: query['org.matrix.msc4354.sticky_duration_ms'],
    }),
})
