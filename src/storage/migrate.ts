import { createHash } from 'node:crypto'
import { StorageError } from './errors.js'

/**
 * One step of the schema. `sql` is in SQLite's dialect with the types INTEGER PRIMARY KEY, INTEGER, TEXT and BLOB alone,
 * and is translated for PostgreSQL; where that cannot do, both texts are given. What was released is never edited: its checksum is kept.
 */
export interface Migration {
  /** Ascending, from 1. */
  readonly id: number
  /** Kebab-case, for people. */
  readonly name: string
  readonly sql: string | { readonly sqlite: string; readonly postgres: string }
  /**
   * The newest schema known to the oldest program that still works after this step; by default this step's own id, so that
   * older programs refuse. A step that only adds what older programs may ignore gives a smaller number.
   */
  readonly compatibleWith?: number
}

/** A step that the database has taken. */
export interface AppliedMigration {
  readonly id: number
  readonly name: string
  readonly checksum: string
}

/** What the database says of its schema; undefined for a new database. */
export interface SchemaState {
  /** The newest step taken. */
  readonly version: number
  /** The schema that a program must know at least. */
  readonly compatible: number
}

export interface MigrationPlan {
  /** The steps to take, ascending. Each is one transaction with its row in `schema_migrations`. */
  readonly steps: readonly Migration[]
  readonly checksums: ReadonlyMap<number, string>
  /** What to store once all are taken. */
  readonly state: SchemaState
}

/** The tables that the runner itself needs, in SQLite's dialect. */
export const SCHEMA_TABLES = `
  CREATE TABLE IF NOT EXISTS schema_migrations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_ts INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS schema_version (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    compatible INTEGER NOT NULL
  ) STRICT;
`

export const SELECT_APPLIED = 'SELECT id, name, checksum FROM schema_migrations ORDER BY id'
export const SELECT_STATE = 'SELECT version, compatible FROM schema_version WHERE id = 1'

/**
 * Decides what is to be done to a database. Throws a StorageError `schema` where this program must not touch it:
 * the database is newer than the program and no longer fit for it, or a step that was taken is unknown or was edited since.
 * Steps that came in from a parallel branch with a lower id are taken late.
 */
export function planMigrations(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
  state: SchemaState | undefined,
): MigrationPlan {
  const ordered = [...known].sort((a, b) => a.id - b.id)
  checkList(ordered)
  const newest = ordered.at(-1)?.id ?? 0
  if (state !== undefined && state.compatible > newest) throw tooOld(state, newest)
  const checksums = new Map(ordered.map((migration) => [migration.id, checksumOf(migration)]))
  const taken = new Map(applied.map((row) => [row.id, row]))
  for (const row of applied) checkApplied(row, checksums, newest)
  const steps = ordered.filter((migration) => !taken.has(migration.id))
  const compatible = ordered.map((migration) => migration.compatibleWith ?? migration.id)
  return {
    steps,
    checksums,
    state: {
      version: Math.max(state?.version ?? 0, newest),
      compatible: Math.max(state?.compatible ?? 0, ...compatible),
    },
  }
}

/** SHA-256 over both texts, hexadecimal. */
export function checksumOf(migration: Migration): string {
  const { sql } = migration
  const texts = typeof sql === 'string' ? [sql] : [sql.sqlite, sql.postgres]
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex')
}

function checkList(ordered: readonly Migration[]): void {
  let last = 0
  for (const { id, name } of ordered) {
    if (!Number.isSafeInteger(id) || id <= last)
      throw new StorageError('misuse', `two migrations have the number ${id}, or it is no number: ${name}`)
    last = id
  }
}

function checkApplied(row: AppliedMigration, checksums: ReadonlyMap<number, string>, newest: number): void {
  const checksum = checksums.get(row.id)
  // A compatible newer program took it.
  if (checksum === undefined && row.id > newest) return
  if (checksum === undefined)
    throw new StorageError('schema', `the database has taken migration ${row.id} (${row.name}), which this program does not have`) // prettier-ignore
  if (checksum !== row.checksum)
    throw new StorageError('schema', `migration ${row.id} (${row.name}) was edited after this database had taken it`) // prettier-ignore
}

function tooOld(state: SchemaState, newest: number): StorageError {
  return new StorageError(
    'schema',
    `the database has schema ${state.version} and needs a program that knows at least schema ${state.compatible}; ` +
      `this one knows schema ${newest}: start a newer Chancery, or restore a backup`,
  )
}
