import type { Config } from '../config/schema.js'
import type { E2ee } from '../services/e2ee/e2ee.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import type { Presence } from '../services/presence/presence.js'
import { createDeviceParts } from '../services/sync/device-part.js'
import { createSlidingSync, type SlidingSyncDeps } from '../services/sync/sliding/sliding-sync.js'
import { createSync } from '../services/sync/sync.js'
import { createWaitingPolls } from '../services/sync/waiting-polls.js'
import type { Services } from '../services/services.js'
import { createEventStream } from '../services/timeline/event-stream.js'
import type { History } from '../services/timeline/history.js'
import { createInitialSync } from '../services/timeline/initial-sync.js'
import type { ToDevice } from '../services/to-device/to-device.js'

type Shared = 'context' | 'views' | 'aggregations' | 'notifier' | 'typing' | 'pushRules' | 'lost' | 'gate'

/** All kinds of sync, on one set of what they share. */
export function buildSyncing(
  deps: Pick<SlidingSyncDeps, Shared> & {
    readonly config: Config
    readonly history: History
    readonly presence: Presence
    readonly e2ee: E2ee
    readonly toDevice: ToDevice
    readonly nodeMetrics?: NodeMetrics | undefined
  },
): Pick<Services, 'sync' | 'slidingSync' | 'initialSync' | 'eventStream'> {
  const { config, presence, e2ee, toDevice, nodeMetrics, ...shared } = deps
  const all = {
    ...shared,
    deviceParts: createDeviceParts({ store: shared.context.store, e2ee, toDevice }),
    waitingPolls: createWaitingPolls(),
    toDevice,
    ...(nodeMetrics === undefined ? {} : { onComputed: nodeMetrics.onSync }),
    maxTimeoutMs: config.limits.max_sync_timeout,
  }
  return {
    sync: createSync({ ...all, presence }),
    slidingSync: createSlidingSync(all),
    initialSync: createInitialSync({ ...all, history: deps.history }),
    eventStream: createEventStream(all),
  }
}
