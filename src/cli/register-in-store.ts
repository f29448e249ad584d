import type { Config } from '../config/schema.js'
import { systemClock } from '../platform/clock.js'
import { silentLogger } from '../platform/logger.js'
import { systemRandom } from '../platform/random.js'
import { createAccounts } from '../services/accounts/accounts.js'
import { createDevices } from '../services/devices/devices.js'
import { createTokenCache } from '../services/devices/token-cache.js'
import { StorageError } from '../storage/errors.js'
import type { Store } from '../storage/tx.js'
import type { NewAccount } from './new-account.js'
import { openConfiguredStore } from './open-store.js'

/** Undefined while a node has the database. */
export async function openUnlessRunning(config: Config): Promise<Store | undefined> {
  try {
    return await openConfiguredStore(config.database)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'locked') return undefined
    throw error
  }
}

/** Makes the account in a database that is not in use, and closes it. Throws MatrixError. */
export async function registerInStore(config: Config, store: Store, account: NewAccount): Promise<string> {
  try {
    const clock = systemClock
    const random = systemRandom
    const tokenCache = createTokenCache(clock)
    const devices = createDevices({ store, clock, random, tokenCache, onDeleted: [], onRenamed: [] })
    const { memory_kib: memoryKib, iterations, parallelism, min_length: minLength } = config.passwords
    const { registration } = createAccounts({
      store,
      clock,
      random,
      logger: silentLogger,
      serverName: config.server_name,
      devices,
      tokenCache,
      options: { passwords: { cost: { memoryKib, iterations, parallelism }, minLength } },
    })
    return await registration.createUser(account)
  } finally {
    await store.close()
  }
}
