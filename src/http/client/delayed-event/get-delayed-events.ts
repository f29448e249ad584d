import { route } from '../../route.js'

/** NOTSPEC: MSC4140. */
export const getDelayedEvents = route({
  id: 'getDelayedEvents',
  method: 'GET',
  paths: ['/_matrix/client/unstable/org.matrix.msc4140/delayed_events'],
  auth: 'guest',
  rateLimit: 'read',
  handler: ({ requester }, { delayedEvents }) => delayedEvents.list(requester),
})
