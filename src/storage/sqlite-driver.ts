import { createRequire } from 'node:module'
import type Driver from 'better-sqlite3'

/**
 * The package of the SQLite driver. From Node 22.14 on its Node-API edition, which comes compiled: older editions abort the process
 * in Node 24 when a statement is garbage-collected (`RemoveEnvironmentCleanupHook`). The Node-API edition in turn does not load
 * in Node 20, so that one gets the older. Both read and write the same files.
 */
export const SQLITE_DRIVER = Number(process.versions.napi) >= 10 ? 'better-sqlite3-napi' : 'better-sqlite3'

const require = createRequire(import.meta.url)

/** Where the driver lies, for threads and processes that load it themselves. */
export const sqliteDriverPath = (): string => require.resolve(SQLITE_DRIVER)

export const SqliteDatabase = require(SQLITE_DRIVER) as typeof Driver
