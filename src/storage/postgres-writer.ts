import type { PoolClient, Pool } from 'pg'
import type { Clock } from '../platform/clock.js'
import { StorageError } from './errors.js'
import type { StoreLogger, StoreObserver } from './observer.js'
import { fromPostgres, isConnectionError, isRetryable } from './postgres-errors.js'
import type { PostgresSession } from './postgres-session.js'
import type { Tx } from './tx.js'

export interface PostgresWriter {
  write<T>(label: string, body: () => Tx<T>): Promise<T>
  /** Waits until all that was queued is settled. */
  drain(): Promise<void>
}

export interface PostgresWriterDeps {
  pool: Pool
  session: PostgresSession
  clock: Clock
  logger: StoreLogger
  observe: StoreObserver
  options: PostgresWriterOptions
}

export interface PostgresWriterOptions {
  /** Bodies in one transaction. PostgreSQL slows down past 64 savepoints that wrote. */
  batchBodies: number
  /** Milliseconds after which no further body joins the transaction. */
  batchMs: number
  /** Bodies that may wait. */
  maxQueue: number
  /** A body that runs longer is logged, in milliseconds. */
  slowMs: number
  /** How often a transaction that met another one, or lost its connection before the commit, is tried. */
  attempts: number
}

interface Job {
  readonly label: string
  readonly body: () => Tx<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

type Outcome = { readonly job: Job; readonly ok: boolean; readonly value: unknown }

/**
 * Sends what nobody waits for, so that it costs no round trip. Inside a transaction that is safe: should it fail, all that
 * follows fails too, and the COMMIT answers that it rolled back.
 */
function sendAhead(client: PoolClient, sql: string): void {
  client.query(sql).catch(() => undefined)
}

/** What became of a transaction. After `lost` nothing of it is in the database, and it may be run again. */
type Attempt =
  | { readonly kind: 'committed'; readonly outcomes: readonly Outcome[] }
  | { readonly kind: 'lost' | 'failed'; readonly taken: number; readonly error: unknown }

/** Any number that is always the same, and not that of the migrations. */
const WRITER_LOCK = 0x63686177

/** The wait before the second attempt, in milliseconds; the third waits twice as long. */
const RETRY_MS = 10

/**
 * Runs the bodies that are queued together in one READ COMMITTED transaction, a savepoint each, one transaction at a time,
 * of all processes on the database: an advisory lock comes first. A body therefore sees all that was committed, and nothing
 * comes between two of its statements, as on SQLite. The row of the stream counter would put most of them in line anyway, but
 * later: with other rows locked by then, transactions of several bodies deadlock.
 * PostgreSQL itself makes the commit durable before it answers.
 */
export function createPostgresWriter(deps: PostgresWriterDeps): PostgresWriter {
  const { pool, session, clock, options } = deps
  let queue: Job[] = []
  let unsettled = 0
  let pumping = false
  const drained: (() => void)[] = []

  async function pump(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, options.batchBodies)
      queue = queue.slice(batch.length)
      const left = await runToEnd(batch)
      if (left.length > 0) queue = [...left, ...queue]
    }
    pumping = false
  }

  /** Settles the jobs of one transaction, however many attempts it takes. Gives those that had no room in it. */
  async function runToEnd(batch: readonly Job[]): Promise<readonly Job[]> {
    for (let attempt = 1; ; attempt++) {
      const result = await runOnce(batch)
      if (result.kind === 'committed') {
        for (const { job, ok, value } of result.outcomes) {
          if (ok) job.resolve(value)
          else job.reject(value)
        }
        settled(result.outcomes.length)
        return batch.slice(result.outcomes.length)
      }
      if (result.kind === 'failed' || attempt >= options.attempts) {
        for (const job of batch.slice(0, result.taken)) job.reject(fromPostgres(result.error, job.label))
        settled(result.taken)
        return batch.slice(result.taken)
      }
      deps.logger.warn({ err: result.error, attempt }, 'a transaction is run again')
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt))
    }
  }

  async function runOnce(batch: readonly Job[]): Promise<Attempt> {
    let client: PoolClient
    try {
      client = await pool.connect()
    } catch (error) {
      return { kind: 'lost', taken: batch.length, error }
    }
    let broken = false
    try {
      return await runTransaction(client, batch)
    } catch (error) {
      broken = isConnectionError(error)
      if (!broken) broken = await client.query('ROLLBACK').then(() => false, () => true) // prettier-ignore
      const lost = broken || isRetryable(error)
      return { kind: lost ? 'lost' : 'failed', taken: batch.length, error }
    } finally {
      client.release(broken)
    }
  }

  /** Throws where the whole transaction is of no use before its commit. */
  async function runTransaction(client: PoolClient, batch: readonly Job[]): Promise<Attempt> {
    const started = clock.monotonic()
    const outcomes: Outcome[] = []
    await client.query(
      `BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(${WRITER_LOCK}); SAVEPOINT body`,
    )
    for (const job of batch) {
      if (outcomes.length > 0) {
        if (clock.monotonic() - started > options.batchMs) break
        sendAhead(client, 'SAVEPOINT body')
      }
      outcomes.push(await runJob(client, job))
    }
    const commit = await commitOf(client)
    deps.observe({ kind: 'group', ms: clock.monotonic() - started, bodies: outcomes.length })
    if (commit.ok) return { kind: 'committed', outcomes }
    return { kind: 'failed', taken: outcomes.length, error: commit.error }
  }

  async function runJob(client: PoolClient, job: Job): Promise<Outcome> {
    const started = clock.monotonic()
    try {
      const value = await session.runBody(client, job.body)
      sendAhead(client, 'RELEASE body')
      return { job, ok: true, value }
    } catch (error) {
      if (isConnectionError(error) || isRetryable(error)) throw error
      await client.query('ROLLBACK TO body; RELEASE body')
      return { job, ok: false, value: fromPostgres(error, job.label) }
    } finally {
      const ms = clock.monotonic() - started
      deps.observe({ kind: 'write', label: job.label, ms })
      if (ms > options.slowMs) deps.logger.warn({ label: job.label, ms: Math.round(ms) }, 'a slow write body')
    }
  }

  async function commitOf(client: PoolClient): Promise<{ ok: true } | { ok: false; error: unknown }> {
    try {
      const { command } = await client.query('COMMIT')
      if (command === 'COMMIT') return { ok: true }
      return {
        ok: false,
        error: new StorageError('aborted', 'the transaction was rolled back at its commit'),
      }
    } catch (error) {
      // A deferred constraint or a full disk is an answer; a broken connection is none.
      if (!isConnectionError(error)) return { ok: false, error }
      const unknown = new StorageError('unknown-outcome', 'the connection broke while committing', error)
      return { ok: false, error: unknown }
    }
  }

  function settled(count: number): void {
    unsettled -= count
    if (unsettled === 0) for (const wake of drained.splice(0)) wake()
  }

  return {
    write<T>(label: string, body: () => Tx<T>): Promise<T> {
      if (unsettled >= options.maxQueue)
        return Promise.reject(new StorageError('overloaded', `${label}: ${unsettled} writes wait already`))
      return new Promise<T>((resolve, reject) => {
        unsettled++
        queue.push({ label, body, resolve: resolve as (value: unknown) => void, reject })
        if (pumping) return
        pumping = true
        // The rest of this turn of the event loop may queue more.
        setImmediate(() => void pump())
      })
    },
    drain() {
      if (unsettled === 0) return Promise.resolve()
      return new Promise((resolve) => drained.push(resolve))
    },
  }
}
