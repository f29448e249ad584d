import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Notifier } from '../platform/notifier.js'
import type { Random } from '../platform/random.js'
import type { AuditTrail } from '../services/audit/trail.js'
import { deleteLocalNotifications } from '../services/account-data/local-notifications.js'
import { createDevices, type Devices } from '../services/devices/devices.js'
import type { TokenCache } from '../services/devices/token-cache.js'
import type { E2ee } from '../services/e2ee/e2ee.js'
import type { ToDevice } from '../services/to-device/to-device.js'
import { deleteTransactionsOf } from '../storage/tables/client-transactions.js'
import { deleteDehydratedDevices } from '../storage/tables/dehydrated-devices.js'
import { deletePushersOfDevices } from '../storage/tables/pushers.js'
import { deleteSlidingConnectionsOf } from '../storage/tables/sliding-sync.js'
import type { Store } from '../storage/tx.js'

/** Devices, with everything that ends with one. */
export function buildDevices(deps: {
  readonly config: Config
  readonly store: Store
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly notifier: Notifier
  readonly tokenCache: TokenCache
  readonly e2ee: E2ee
  readonly toDevice: ToDevice
}): Devices {
  const { config, logger, notifier, e2ee, toDevice, ...base } = deps
  return createDevices({
    ...base,
    onDeleted: [
      e2ee.onDevicesDeleted,
      toDevice.onDevicesDeleted,
      deleteTransactionsOf,
      deletePushersOfDevices,
      deleteSlidingConnectionsOf,
      deleteLocalNotifications,
      deleteDehydratedDevices,
    ],
    onRenamed: [e2ee.onDevicesChanged],
    afterChange: (userId) => {
      notifier.notify([userId])
      void e2ee.afterDevicesChanged(userId).catch((error: unknown) => {
        logger.warn({ err: error, userId }, 'cannot tell of changed devices')
      })
    },
    options: { maxPerUser: config.sessions.max_devices_per_user },
  })
}
