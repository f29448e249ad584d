import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Database } from 'better-sqlite3'
import { StorageError } from './errors.js'
import { SqliteDatabase } from './sqlite-driver.js'
import { isBusy } from './sqlite-errors.js'

/** Each entry of the page cache is a page of 4 KiB; the cache fills with use. */
const CACHE_KIB = 32_768
/** A busy-wait freezes the event loop. Nobody else holds our locks but a tool that someone started by hand. */
const BUSY_MS = 50

/**
 * The path by which the database is opened: links are resolved, so that two names of one file have one lock.
 * Creates the folder and an empty file, readable by the owner alone, where there is none.
 */
export function prepareFile(path: string): string {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    closeSync(openSync(path, 'a', 0o600))
  }
  return realpathSync(path)
}

/**
 * Takes the database for this process until `release` or the end of the process, however it ends.
 * The lock is that of a second, empty SQLite file, which the kernel drops with the process.
 * Throws a StorageError `locked` where another process (or another store of this one) has it.
 */
export function ownDatabase(path: string): { release(): void } {
  const lockPath = `${path}-lock`
  const lock = new SqliteDatabase(lockPath, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw new StorageError('locked', `the database ${path} is in use by another process; stop that one first`)
  }
  return { release: () => void lock.close() }
}

/** Opens the connection of the event loop. `durable: false` never syncs, for tests. */
export function openConnection(path: string, durable: boolean): Database {
  const database = new SqliteDatabase(path, { timeout: BUSY_MS })
  database.pragma('journal_mode = WAL')
  // NORMAL syncs the log before a checkpoint and the database after it; the sync of each commit is ours.
  database.pragma(`synchronous = ${durable ? 'NORMAL' : 'OFF'}`)
  if (durable) database.pragma('wal_autocheckpoint = 0')
  database.pragma('foreign_keys = ON')
  database.pragma('trusted_schema = OFF')
  database.pragma('temp_store = MEMORY')
  database.pragma(`cache_size = -${CACHE_KIB}`)
  return database
}

/**
 * Empties the log, begins a new one, and makes files and folder entries durable, so that afterwards a commit needs
 * nothing but a sync of the log's data. Gives a descriptor of the log for that. Blocks for some syncs: for the start only.
 */
export function settleLog(database: Database, path: string): number {
  database.pragma('wal_checkpoint(TRUNCATE)')
  const version = Number(database.pragma('user_version', { simple: true }))
  database.pragma(`user_version = ${(version + 1) % 2 ** 30}`)
  const log = openSync(`${path}-wal`, 'r+')
  fsyncSync(log)
  const folder = openSync(dirname(path), 'r')
  fsyncSync(folder)
  closeSync(folder)
  return log
}
