import pg from 'pg'
import { systemClock, type Clock } from '../platform/clock.js'
import { StorageError } from './errors.js'
import type { Migration } from './migrate.js'
import { migrations as ownMigrations } from './migrations/index.js'
import { noObserver, silentLogger, type StoreLogger, type StoreObserver } from './observer.js'
import { fromPostgres, isConnectionError } from './postgres-errors.js'
import { migratePostgres } from './postgres-migrate.js'
import { createPostgresSession, NUMBER_TYPES } from './postgres-session.js'
import { createPostgresWriter, type PostgresWriterOptions } from './postgres-writer.js'
import type { Store } from './tx.js'

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, or anything else that `pg` takes. */
  connectionString: string
  logger?: StoreLogger
  clock?: Clock
  /** For tests; by default the schema of the program. */
  migrations?: readonly Migration[]
  observe?: StoreObserver
  tuning?: Partial<PostgresTuning>
}

export interface PostgresTuning extends PostgresWriterOptions {
  /** Connections for reads; one more writes. */
  readers: number
  connectMs: number
  /** A statement that runs longer is cancelled, in milliseconds. */
  statementMs: number
  /** How long a lock of another process is waited for, in milliseconds. */
  lockMs: number
}

const TUNING: PostgresTuning = {
  batchBodies: 50,
  batchMs: 50,
  maxQueue: 10_000,
  slowMs: 200,
  attempts: 4,
  readers: 8,
  connectMs: 10_000,
  statementMs: 60_000,
  lockMs: 10_000,
}

/** A process that hangs must not keep the counter's row from the others. */
const IDLE_IN_TRANSACTION_MS = 30_000

/**
 * Connects and brings the database to the newest schema; several processes may share it.
 * Rejects with a StorageError: `io` where the server cannot be reached, `schema` where the database does not fit.
 * Reads run under REPEATABLE READ, READ ONLY; writes: see `createPostgresWriter`.
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const { clock = systemClock, logger = silentLogger, observe = noObserver } = options
  const tuning = { ...TUNING, ...options.tuning }
  const session = createPostgresSession()
  const readers = createPool(
    options.connectionString,
    tuning.readers,
    tuning,
    logger,
    'default_transaction_read_only=on',
  )
  const writers = createPool(options.connectionString, 1, tuning, logger, 'synchronous_commit=on')
  try {
    await prepare(writers, options.migrations ?? ownMigrations, clock)
  } catch (error) {
    await Promise.all([readers.end(), writers.end()])
    throw fromPostgres(error, 'the PostgreSQL database cannot be opened')
  }
  const writer = createPostgresWriter({ pool: writers, session, clock, logger, observe, options: tuning })
  const positions = sharePosition(readers)
  const reading = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  const refusal = (label: string): StorageError | undefined =>
    closing === undefined ? undefined : new StorageError('closed', `${label}: the store is closed`)

  async function readBody<T>(label: string, body: Parameters<typeof session.runBody<T>>[1]): Promise<T> {
    const started = clock.monotonic()
    let client: pg.PoolClient | undefined
    let broken = false
    try {
      client = await readers.connect()
      // BEGIN travels with the first query, and nobody waits for the COMMIT. Should BEGIN fail, the connection's
      // defaults still keep the body from writing.
      const begun = client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      begun.catch(() => undefined)
      const value = await session.runBody(client, body)
      await begun
      client.query('COMMIT').catch(() => undefined)
      return value
    } catch (error) {
      broken = isConnectionError(error)
      if (client !== undefined && !broken) broken = await client.query('ROLLBACK').then(() => false, () => true) // prettier-ignore
      throw fromPostgres(error, label)
    } finally {
      client?.release(broken)
      const ms = clock.monotonic() - started
      observe({ kind: 'read', label, ms })
      if (ms > tuning.slowMs) logger.warn({ label, ms: Math.round(ms) }, 'a slow read body')
    }
  }

  return {
    dialect: 'postgres',
    async read(label, body) {
      const refused = refusal(label)
      if (refused !== undefined) throw refused
      const result = readBody(label, body)
      reading.add(result)
      try {
        return await result
      } finally {
        reading.delete(result)
      }
    },
    write(label, body) {
      const refused = refusal(label)
      return refused === undefined ? writer.write(label, body) : Promise.reject(refused)
    },
    position: positions,
    close() {
      closing ??= (async () => {
        await writer.drain()
        await Promise.allSettled(reading)
        await Promise.all([readers.end(), writers.end()])
      })()
      return closing
    },
  }
}

function createPool(
  connectionString: string,
  max: number,
  tuning: PostgresTuning,
  logger: StoreLogger,
  setting: string,
): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: tuning.connectMs,
    idleTimeoutMillis: 0,
    keepAlive: true,
    statement_timeout: tuning.statementMs,
    lock_timeout: tuning.lockMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    application_name: 'chancery',
    options: `-c ${setting}`,
    pipeline: true,
    types: NUMBER_TYPES,
  })
  // An idle connection that breaks is replaced by the next one that is asked for.
  pool.on('error', (error) => logger.warn({ err: error }, 'a connection to the database broke'))
  return pool
}

async function prepare(pool: pg.Pool, migrations: readonly Migration[], clock: Clock): Promise<void> {
  const client = await pool.connect()
  try {
    // A step may rewrite a large table, and other processes wait for it.
    await client.query('SET statement_timeout = 0; SET lock_timeout = 0')
    await migratePostgres(client, migrations, clock.now())
  } finally {
    // With its settings it is not fit for anything else.
    client.release(true)
  }
}

/** Calls that come while a query runs share the next one: the running one may be older than what their caller committed. */
function sharePosition(pool: pg.Pool): () => Promise<number> {
  let running: Promise<number> | undefined
  let next: Promise<number> | undefined

  async function ask(): Promise<number> {
    try {
      const { rows } = await pool.query<{ pos: number }>('SELECT pos FROM stream_position WHERE id = 1')
      return rows[0]!.pos
    } catch (error) {
      throw fromPostgres(error, 'position')
    }
  }

  function start(): Promise<number> {
    const asked = ask().finally(() => {
      if (running === asked) running = undefined
    })
    running = asked
    return asked
  }

  return () => {
    if (running === undefined) return start()
    next ??= running.then(
      () => ((next = undefined), start()),
      () => ((next = undefined), start()),
    )
    return next
  }
}
