import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { StorageError } from './errors.js'
import { SELECT_STATE, type SchemaState } from './migrate.js'
import { SqliteDatabase } from './sqlite-driver.js'
import { fromSqlite } from './sqlite-errors.js'

/**
 * Copies a database, also while a node writes to it: the copy holds what was committed at one moment. It is on disk, and looked
 * through, when this returns; it blocks until then. `to` must not exist. Gives the number of its schema. Throws StorageError.
 */
export function backupSqlite(from: string, to: string): number {
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
    for (const path of [to, dirname(to)]) sync(path)
    return check(to)
  } catch (error) {
    throw fromSqlite(error, 'backup')
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

function check(path: string): number {
  const copy = new SqliteDatabase(path, { readonly: true, fileMustExist: true })
  try {
    const verdict = copy.pragma('integrity_check(1)', { simple: true })
    if (verdict !== 'ok') throw new StorageError('io', `the copy is damaged, and so may the database be: ${String(verdict)}`) // prettier-ignore
    const state = copy.prepare<[], SchemaState>(SELECT_STATE).get()
    if (state === undefined) throw new StorageError('schema', `${path} is no database of a node`)
    return state.version
  } finally {
    copy.close()
  }
}
