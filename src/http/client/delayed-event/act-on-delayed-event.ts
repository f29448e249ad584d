import { route, type Route } from '../../route.js'
import type { DelayAction } from '../../../services/delayed-events/delayed-events.js'

/**
 * NOTSPEC: MSC4140. Without a token, unlike its present text: the id is unguessable, and servers for calls, to which clients hand it,
 * have no other proof.
 */
const act = (id: string, action: DelayAction): Route =>
  route({
    id,
    method: 'POST',
    paths: [`/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/${action}`],
    auth: 'none',
    rateLimit: 'public',
    handler: ({ params }, { delayedEvents }) => delayedEvents.act(params['delayId']!, action),
  })

export const sendDelayedEvent = act('sendDelayedEvent', 'send')
export const cancelDelayedEvent = act('cancelDelayedEvent', 'cancel')
export const restartDelayedEvent = act('restartDelayedEvent', 'restart')
