import type { Config } from '../config/schema.js'
import { createDelayedEvents } from '../services/delayed-events/delayed-events.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Memberships } from '../services/rooms/membership.js'
import type { Sending } from '../services/rooms/send.js'
import type { Services } from '../services/services.js'
import { delayedEventsOptions } from './options.js'

/** What clients rely on although no release of the specification has it. */
export function buildProposals(deps: {
  readonly config: Config
  readonly context: RoomsContext
  readonly sending: Sending
  readonly memberships: Memberships
}): Pick<Services, 'delayedEvents'> {
  const { config, context } = deps
  return {
    delayedEvents: createDelayedEvents({
      ...deps,
      store: context.store,
      options: delayedEventsOptions(config),
    }),
  }
}
