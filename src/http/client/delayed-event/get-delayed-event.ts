import { route } from '../../route.js'

/** NOTSPEC: MSC4140. */
export const getDelayedEvent = route({
  id: 'getDelayedEvent',
  method: 'GET',
  paths: ['/_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}'],
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester, params }, { delayedEvents }) => delayedEvents.get(requester, params['delayId']!),
})
