import type { ClientBase } from 'pg'
import { StorageError } from './errors.js'
import {
  planMigrations, SCHEMA_TABLES, SELECT_APPLIED, SELECT_STATE,
  type AppliedMigration, type Migration, type SchemaState,
} from './migrate.js' // prettier-ignore
import { toPostgresSchema } from './postgres-schema.js'

/** Any number that is always the same: processes that start together migrate one after the other. */
const LOCK = 0x6368616e
const OLDEST_SERVER = 150_000

/** Brings the database to the newest schema; gives the number of steps taken. `now` is in milliseconds since the epoch. */
export async function migratePostgres(
  client: ClientBase,
  known: readonly Migration[],
  now: number,
): Promise<number> {
  await checkServer(client)
  await client.query('SELECT pg_advisory_lock($1)', [LOCK])
  try {
    return await migrate(client, known, now)
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [LOCK])
  }
}

async function migrate(client: ClientBase, known: readonly Migration[], now: number): Promise<number> {
  await inTransaction(client, () => client.query(toPostgresSchema(SCHEMA_TABLES)))
  const applied = await client.query<AppliedMigration>(SELECT_APPLIED)
  const state = await client.query<SchemaState>(SELECT_STATE)
  const plan = planMigrations(known, applied.rows, state.rows[0])
  for (const step of plan.steps) {
    const sql = typeof step.sql === 'string' ? toPostgresSchema(step.sql) : step.sql.postgres
    await inTransaction(client, async () => {
      await client.query(sql)
      await client.query(
        'INSERT INTO schema_migrations (id, name, checksum, applied_ts) VALUES ($1, $2, $3, $4)',
        [step.id, step.name, plan.checksums.get(step.id), now],
      )
    })
  }
  await client.query(
    `INSERT INTO schema_version (id, version, compatible) VALUES (1, $1, $2)
     ON CONFLICT (id) DO UPDATE SET version = excluded.version, compatible = excluded.compatible`,
    [plan.state.version, plan.state.compatible],
  )
  return plan.steps.length
}

async function checkServer(client: ClientBase): Promise<void> {
  const { rows } = await client.query<{ version: string; encoding: string }>(
    `SELECT current_setting('server_version_num') AS version, current_setting('server_encoding') AS encoding`,
  )
  const { version, encoding } = rows[0]!
  if (Number(version) < OLDEST_SERVER)
    throw new StorageError('schema', `PostgreSQL 15 or newer is needed; the server reports ${version}`)
  if (encoding !== 'UTF8')
    throw new StorageError('schema', `the database must have the encoding UTF8, not ${encoding}`)
}

async function inTransaction(client: ClientBase, work: () => Promise<unknown>): Promise<void> {
  await client.query('BEGIN')
  try {
    await work()
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}
