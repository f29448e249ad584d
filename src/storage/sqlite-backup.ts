import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { StorageError, StorageFull } from './errors.js'
import { SELECT_STATE, type SchemaState } from './migrate.js'
import { SqliteDatabase } from './sqlite-driver.js'
import { fromOpening, fromSqlite } from './sqlite-errors.js'

/**
 * Copies a database, also while a node writes to it: the copy holds what was committed at one moment, and says that it is a copy, so that a
 * node that is started with it goes on as after a loss (`tables/lost-positions.ts`). It is on disk, and looked
 * through, when this returns; it blocks until then. `to` must not exist. `now`: milliseconds. Gives the number of its schema. Throws StorageError.
 */
export function backupSqlite(from: string, to: string, now: number): number {
  if (!existsSync(from)) throw new StorageError('io', `there is no database at ${from}`)
  if (existsSync(to)) throw new StorageError('misuse', `${to} exists already`)
  try {
    // Read-only, and outside the lock of the node: readers of a write-ahead log do not disturb the writer.
    const source = new SqliteDatabase(from, { readonly: true, fileMustExist: true, timeout: 10_000 })
    try {
      source.prepare('VACUUM INTO ?').run(to)
    } finally {
      source.close()
    }
    mark(to, now)
    for (const path of [to, dirname(to)]) sync(path)
    return checkSqliteCopy(to)
  } catch (error) {
    const fault = fromSqlite(error, 'backup')
    if (fault instanceof StorageFull) throw new StorageError('full', `there is no room for ${to}`, error)
    throw fault
  }
}

function sync(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Copies of older schemas have no place for it; restoring them is for `chancery restore` alone. */
function mark(path: string, now: number): void {
  const copy = new SqliteDatabase(path, { fileMustExist: true })
  try {
    const hasPlace = copy.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'lost_positions'").get()
    if (hasPlace === undefined) return
    copy
      .prepare(
        `INSERT INTO lost_positions (after_pos, ts) SELECT pos, ? FROM stream_position WHERE id = 1
         ON CONFLICT (after_pos) DO UPDATE SET resumed_pos = NULL, ts = excluded.ts`,
      )
      .run(now)
  } finally {
    copy.close()
  }
}

/** Looks through a copy that nobody has open. Gives the number of its schema. Throws StorageError where it is damaged or no copy of a node's. */
export function checkSqliteCopy(path: string): number {
  const copy = new SqliteDatabase(path, { readonly: true, fileMustExist: true })
  try {
    const verdict = copy.pragma('integrity_check(1)', { simple: true })
    if (verdict !== 'ok') throw new StorageError('io', `the copy is damaged, and so may the database be: ${String(verdict)}`) // prettier-ignore
    const state = copy.prepare<[], SchemaState>(SELECT_STATE).get()
    if (state === undefined) throw new StorageError('schema', `${path} is no database of a node`)
    return state.version
  } catch (error) {
    throw fromOpening(error, path)
  } finally {
    copy.close()
  }
}
