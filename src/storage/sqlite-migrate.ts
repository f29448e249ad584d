import type { Database } from 'better-sqlite3'
import { StorageError } from './errors.js'
import {
  planMigrations, SCHEMA_TABLES, SELECT_APPLIED, SELECT_STATE, type AppliedMigration, type Migration, type SchemaState,
} from './migrate.js' // prettier-ignore

/** Brings the database to the newest schema; gives the number of steps taken. `now` is in milliseconds since the epoch. */
export function migrateSqlite(database: Database, known: readonly Migration[], now: number): number {
  inTransaction(database, () => database.exec(SCHEMA_TABLES))
  const applied = database.prepare(SELECT_APPLIED).all() as AppliedMigration[]
  const state = database.prepare(SELECT_STATE).get() as SchemaState | undefined
  const plan = planMigrations(known, applied, state)
  // A step may rebuild a table that others refer to; the references are checked at its end instead.
  database.pragma('foreign_keys = OFF')
  try {
    for (const step of plan.steps) {
      inTransaction(database, () => {
        database.exec(typeof step.sql === 'string' ? step.sql : step.sql.sqlite)
        const broken = database.pragma('foreign_key_check') as unknown[]
        if (broken.length > 0)
          throw new StorageError('schema', `migration ${step.id} (${step.name}) breaks a foreign key`)
        database
          .prepare('INSERT INTO schema_migrations (id, name, checksum, applied_ts) VALUES (?, ?, ?, ?)')
          .run(step.id, step.name, plan.checksums.get(step.id)!, now)
      })
    }
  } finally {
    database.pragma('foreign_keys = ON')
  }
  database
    .prepare(
      `INSERT INTO schema_version (id, version, compatible) VALUES (1, ?, ?)
       ON CONFLICT (id) DO UPDATE SET version = excluded.version, compatible = excluded.compatible
       WHERE version <> excluded.version OR compatible <> excluded.compatible`,
    )
    .run(plan.state.version, plan.state.compatible)
  return plan.steps.length
}

function inTransaction(database: Database, work: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    work()
    database.exec('COMMIT')
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}
