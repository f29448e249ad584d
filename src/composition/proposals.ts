import type { Config } from '../config/schema.js'
import type { Notifier } from '../platform/notifier.js'
import type { Random } from '../platform/random.js'
import { createDehydratedDevices } from '../services/dehydrated-devices/dehydrated-devices.js'
import { createDelayedEvents } from '../services/delayed-events/delayed-events.js'
import type { Devices } from '../services/devices/devices.js'
import type { E2ee } from '../services/e2ee/e2ee.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Memberships } from '../services/rooms/membership.js'
import type { Sending } from '../services/rooms/send.js'
import type { Services } from '../services/services.js'
import { createThreadSubscriptions } from '../services/thread-subscriptions/thread-subscriptions.js'
import type { ToDevice } from '../services/to-device/to-device.js'
import type { Store } from '../storage/tx.js'
import { delayedEventsOptions } from './options.js'

/** What clients rely on although no release of the specification has it. */
export function buildProposals(deps: {
  readonly config: Config
  readonly store: Store
  readonly random: Random
  readonly notifier: Notifier
  readonly context: RoomsContext
  readonly sending: Sending
  readonly memberships: Memberships
  readonly devices: Devices
  readonly e2ee: E2ee
  readonly toDevice: ToDevice
}): Pick<Services, 'delayedEvents' | 'dehydratedDevices' | 'threadSubscriptions'> {
  return {
    delayedEvents: createDelayedEvents({ ...deps, options: delayedEventsOptions(deps.config) }),
    dehydratedDevices: createDehydratedDevices(deps),
    threadSubscriptions: createThreadSubscriptions(deps),
  }
}
