import { createRequire } from 'node:module'
import type Driver from 'better-sqlite3'

const require = createRequire(import.meta.url)

/** For Node 20: the package of the edition before 13, an optional dependency under a name of its own. */
const OLDER = 'better-sqlite3-node20'

/**
 * The package of the SQLite driver. From 13 on it is built for Node-API 10, which Node has from 22.14 on and Node 20 never gets:
 * there it crashes the process, so Node 20 takes the edition before. That one in turn aborts the process in Node 24 when a
 * statement is garbage-collected (`RemoveEnvironmentCleanupHook`). Both read and write the same files.
 */
export const SQLITE_DRIVER =
  Number(process.versions.napi) >= 10 || isOlderUnderPlainName() ? 'better-sqlite3' : OLDER

/** Whether an installation that was not renewed after an update has the edition for Node 20 where it stood before. */
function isOlderUnderPlainName(): boolean {
  try {
    require.resolve(OLDER)
    return false
  } catch {
    const { version } = require('better-sqlite3/package.json') as { version: string }
    return version.startsWith('12.')
  }
}

/** Where the driver lies, for threads and processes that load it themselves. */
export const sqliteDriverPath = (): string => require.resolve(SQLITE_DRIVER)

export const SqliteDatabase = require(SQLITE_DRIVER) as typeof Driver
