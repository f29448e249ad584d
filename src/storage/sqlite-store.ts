import { closeSync, fdatasync } from 'node:fs'
import { promisify } from 'node:util'
import { systemClock, type Clock } from '../platform/clock.js'
import { StorageError } from './errors.js'
import type { Migration } from './migrate.js'
import { migrations as ownMigrations } from './migrations/index.js'
import { noObserver, silentLogger, type StoreLogger, type StoreObserver } from './observer.js'
import { createSqliteCheckpointer, type SqliteCheckpointer } from './sqlite-checkpointer.js'
import { openConnection, ownDatabase, prepareFile, settleLog } from './sqlite-connection.js'
import { fromOpening, fromSqlite } from './sqlite-errors.js'
import { migrateSqlite } from './sqlite-migrate.js'
import { createStatements, runBody } from './sqlite-statements.js'
import { createSqliteWriter, type SqliteWriterOptions } from './sqlite-writer.js'
import type { Store, Tx } from './tx.js'

export interface SqliteOptions {
  /** The database file; its log, index and lock lie beside it. Created where there is none. */
  path: string
  logger?: StoreLogger
  clock?: Clock
  /** For tests; by default the schema of the program. */
  migrations?: readonly Migration[]
  /** A sync failed: the store refuses writes from now on, and the process is to be started again. Called once. */
  onFault?: (error: Error) => void
  observe?: StoreObserver
  /** `none` never syncs: for tests, and for showing that the power-cut test can fail. Default `full`. */
  durability?: 'full' | 'none'
  tuning?: Partial<SqliteTuning>
  /** Replaces the sync of the log, for tests of slow and failing disks. */
  syncFile?: (descriptor: number) => Promise<void>
}

export interface SqliteTuning extends SqliteWriterOptions {
  /** A checkpoint begins when the log has this size, in bytes. */
  logBytes: number
  /** A checkpoint begins when nothing was written for this long, in milliseconds. */
  idleMs: number
}

const TUNING: SqliteTuning = {
  groupBodies: 200,
  groupMs: 20,
  maxQueue: 10_000,
  slowMs: 20,
  busyMs: 5_000,
  logBytes: 16 * 2 ** 20,
  idleMs: 2_000,
}

const fdatasyncAsync = promisify(fdatasync)

/**
 * Opens the database for this process alone and brings it to the newest schema.
 * Rejects with a StorageError: `locked` where another process has it, `schema` where it is too new for this program.
 * Reads run at once, on the one connection: write transactions begin and end within one turn of the event loop,
 * so no read ever meets half of one. Writes: see `createSqliteWriter`.
 */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  let owned: { release(): void } | undefined
  try {
    const path = prepareFile(options.path)
    owned = ownDatabase(path)
    return await open(options, path, owned)
  } catch (error) {
    owned?.release()
    throw fromOpening(error, options.path)
  }
}

async function open(options: SqliteOptions, path: string, owned: { release(): void }): Promise<Store> {
  const {
    clock = systemClock,
    logger = silentLogger,
    observe = noObserver,
    syncFile = fdatasyncAsync,
    migrations = ownMigrations,
  } = options
  const durable = options.durability !== 'none'
  const tuning = { ...TUNING, ...options.tuning }
  const database = openConnection(path, durable)
  let log: number | undefined
  try {
    migrateSqlite(database, migrations, clock.now())
    if (durable) log = settleLog(database, path)
  } catch (error) {
    database.close()
    throw error
  }

  const statements = createStatements(database)
  let checkpointer: SqliteCheckpointer | undefined
  let closing: Promise<void> | undefined
  let inBody = false
  let faulted = false

  function onFault(cause: Error): void {
    if (faulted) return
    faulted = true
    const error = new StorageError('faulted', 'the disk failed to keep what was written; the process must be started again', cause) // prettier-ignore
    logger.error({ err: cause }, error.message)
    writer.fail(error)
    options.onFault?.(error)
  }

  const writer = createSqliteWriter({
    database,
    runBody: (body) => runGuarded(body, 'write'),
    clock,
    logger,
    observe,
    sync: log === undefined ? undefined : () => syncFile(log),
    afterSync: () => checkpointer?.written(),
    onFault,
    options: tuning,
  })
  if (log !== undefined) {
    checkpointer = createSqliteCheckpointer({
      path,
      log,
      clock,
      logger,
      observe,
      pauseWrites: () => writer.pause(),
      resumeWrites: () => writer.resume(),
      onFault,
      options: tuning,
    })
  }

  /** Bodies run synchronously: a body that calls the store would run inside the transaction of another. */
  function refusal(label: string): StorageError | undefined {
    if (closing !== undefined) return new StorageError('closed', `${label}: the store is closed`)
    if (inBody) return new StorageError('misuse', `${label}: a transaction body calls the store`)
    return undefined
  }

  function runGuarded<T>(body: () => Tx<T>, mode: 'read' | 'write'): T {
    inBody = true
    try {
      return runBody(body, statements, mode)
    } finally {
      inBody = false
    }
  }

  async function closeAll(): Promise<void> {
    await writer.drain()
    await checkpointer?.close()
    database.close()
    if (log !== undefined) closeSync(log)
    owned.release()
  }

  return {
    dialect: 'sqlite',
    async read(label, body) {
      const refused = refusal(label)
      if (refused !== undefined) throw refused
      const started = clock.monotonic()
      try {
        return runGuarded(body, 'read')
      } catch (error) {
        throw fromSqlite(error, label)
      } finally {
        const ms = clock.monotonic() - started
        observe({ kind: 'read', label, ms })
        if (ms > tuning.slowMs) logger.warn({ label, ms: Math.round(ms) }, 'a slow read body')
      }
    },
    write(label, body) {
      const refused = refusal(label)
      return refused === undefined ? writer.write(label, body) : Promise.reject(refused)
    },
    position: () => Promise.resolve(writer.position()),
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}
