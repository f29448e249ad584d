import type { Database } from 'better-sqlite3'
import type { Clock } from '../platform/clock.js'
import { StorageError } from './errors.js'
import type { StoreLogger, StoreObserver } from './observer.js'
import { fromSqlite, isBusy, isSyncFailure } from './sqlite-errors.js'
import type { Tx } from './tx.js'

export interface SqliteWriter {
  write<T>(label: string, body: () => Tx<T>): Promise<T>
  /** The last stream position that a completed sync covers. */
  position(): number
  /** No transaction begins until `resume`; bodies wait. */
  pause(): void
  resume(): void
  /** Nothing is written any more; what waits is rejected. */
  fail(error: Error): void
  /** Waits until all that was queued is settled. */
  drain(): Promise<void>
}

export interface SqliteWriterDeps {
  database: Database
  /** Drives a body to its end in the open transaction. */
  runBody: <T>(body: () => Tx<T>) => T
  clock: Clock
  logger: StoreLogger
  observe: StoreObserver
  /** Makes the log durable; undefined where nothing is synced. */
  sync: (() => Promise<void>) | undefined
  /** Called after each sync, or after each group where nothing is synced. */
  afterSync: () => void
  onFault: (error: Error) => void
  options: SqliteWriterOptions
}

export interface SqliteWriterOptions {
  /** Bodies in one transaction. */
  groupBodies: number
  /** Milliseconds after which no further body joins the transaction. */
  groupMs: number
  /** Bodies that may wait, those whose sync is awaited included. */
  maxQueue: number
  /** A body that runs longer is logged, in milliseconds. */
  slowMs: number
  /** How long a lock held by a foreign process is waited for, in milliseconds. */
  busyMs: number
}

interface Job {
  readonly label: string
  readonly body: () => Tx<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** A job that has run: what it will be told once its group is durable. */
type Outcome = { readonly job: Job; readonly ok: boolean; readonly value: unknown }

interface Group {
  readonly outcomes: readonly Outcome[]
  readonly position: number
}

const BUSY_RETRY_MS = 20

/**
 * Group commit. The bodies that wait run in one transaction, one that fails is taken out of it; the commit leaves its pages in the kernel's
 * hands, and one sync on the thread pool covers all groups committed before it began. A group that would have to wait for
 * the sync under way and then for one of its own is held back until that begins: one larger group writes each page once.
 * A promise settles only then, a rejection too: "this name is taken" must not be said of a row that a power cut takes away.
 */
export function createSqliteWriter(deps: SqliteWriterDeps): SqliteWriter {
  const { database, clock, options } = deps
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const rollback = database.prepare('ROLLBACK')
  const savepoint = database.prepare('SAVEPOINT body')
  const release = database.prepare('RELEASE body')
  const rollbackTo = database.prepare('ROLLBACK TO body')
  const readPosition = database.prepare<[], number>('SELECT pos FROM stream_position WHERE id = 1').pluck()

  let queue: Job[] = []
  let unsynced: Group[] = []
  let unsettled = 0
  let scheduled = false
  let paused = false
  let syncing = false
  let busySince: number | undefined
  let fault: Error | undefined
  let durable = readPosition.get() ?? 0
  const drained: (() => void)[] = []

  function schedule(): void {
    if (scheduled || paused || queue.length === 0) return
    scheduled = true
    setImmediate(runGroup)
  }

  function runGroup(): void {
    scheduled = false
    if (paused || queue.length === 0) return
    // The end of the sync schedules again. A full group gains nothing by waiting.
    if (syncing && queue.length < options.groupBodies) return
    if (!beginGroup()) return
    const started = clock.monotonic()
    let outcomes = runBodies(false)
    if (outcomes === 'again') {
      rollback.run()
      if (!beginGroup()) return
      outcomes = runBodies(true)
    }
    if (outcomes === 'again' || outcomes === 'lost') return
    commitGroup(outcomes)
    deps.observe({ kind: 'group', ms: clock.monotonic() - started, bodies: outcomes.length })
    schedule()
  }

  /**
   * Runs the bodies of a group and takes them from the queue. Savepoints cost a copy of each page that is written: they are set only `apart`,
   * after a group without them had a body that failed; that one gives `again`, and takes nothing from the queue.
   * `lost`: the transaction is gone, and the bodies of it are rejected.
   */
  function runBodies(apart: boolean): Outcome[] | 'again' | 'lost' {
    const jobs = queue
    const started = clock.monotonic()
    const outcomes: Outcome[] = []
    for (const job of jobs) {
      const full = outcomes.length >= options.groupBodies || clock.monotonic() - started > options.groupMs
      if (outcomes.length > 0 && full) break
      const failure = runJob(job, outcomes, apart)
      if (failure === 'again') return 'again'
      if (failure !== undefined) {
        queue = jobs.slice(outcomes.length)
        abandon(outcomes, failure.error, job.label)
        return 'lost'
      }
    }
    queue = jobs.slice(outcomes.length)
    return outcomes
  }

  /** False where the group cannot begin now. */
  function beginGroup(): boolean {
    try {
      begin.run()
      busySince = undefined
      return true
    } catch (error) {
      busySince ??= clock.monotonic()
      if (isBusy(error) && clock.monotonic() - busySince < options.busyMs) {
        scheduled = true
        setTimeout(runGroup, BUSY_RETRY_MS)
        return false
      }
      busySince = undefined
      const jobs = queue
      queue = []
      abandon(
        jobs.map((job) => ({ job, ok: true, value: undefined })),
        error,
        'begin',
      )
      return false
    }
  }

  /** Runs one body. Gives the error where the whole transaction is lost, `again` where a failed body cannot be taken out of it. */
  function runJob(job: Job, outcomes: Outcome[], apart: boolean): { error: unknown } | 'again' | undefined {
    const started = clock.monotonic()
    try {
      if (apart) savepoint.run()
      const value = deps.runBody(job.body)
      if (apart) release.run()
      outcomes.push({ job, ok: true, value })
      return undefined
    } catch (error) {
      outcomes.push({ job, ok: false, value: fromSqlite(error, job.label) })
      // SQLite rolls back the whole transaction by itself when the disk is full, an I/O fails or memory is short.
      if (!database.inTransaction) return { error }
      if (!apart) return 'again'
      try {
        rollbackTo.run()
        release.run()
        return undefined
      } catch (second) {
        return { error: second }
      }
    } finally {
      const ms = clock.monotonic() - started
      deps.observe({ kind: 'write', label: job.label, ms })
      if (ms > options.slowMs) deps.logger.warn({ label: job.label, ms: Math.round(ms) }, 'a slow write body')
    }
  }

  function commitGroup(outcomes: readonly Outcome[]): void {
    let position: number
    try {
      position = readPosition.get() ?? 0
      commit.run()
    } catch (error) {
      abandon(outcomes, error, 'commit')
      return
    }
    unsynced.push({ outcomes, position })
    syncSoon()
  }

  /** Rolls the transaction back and rejects all that was in it: none of it is in the database. */
  function abandon(outcomes: readonly Outcome[], cause: unknown, label: string): void {
    if (database.inTransaction) rollback.run()
    const error = fromSqlite(cause, label)
    for (const { job, ok, value } of outcomes) job.reject(ok ? error : value)
    settled(outcomes.length)
    if (isSyncFailure(cause)) deps.onFault(error as Error)
    schedule()
  }

  function syncSoon(): void {
    if (syncing || unsynced.length === 0) return
    const covered = unsynced
    unsynced = []
    if (deps.sync === undefined) {
      settle(covered)
      return
    }
    syncing = true
    const started = clock.monotonic()
    deps.sync().then(
      () => {
        syncing = false
        deps.observe({ kind: 'sync', ms: clock.monotonic() - started, groups: covered.length })
        if (fault !== undefined) rejectGroups(covered, fault)
        else settle(covered)
        syncSoon()
        schedule()
      },
      (error: unknown) => {
        syncing = false
        unsynced = [...covered, ...unsynced]
        deps.onFault(error as Error)
      },
    )
  }

  function settle(groups: readonly Group[]): void {
    for (const { outcomes, position } of groups) {
      durable = position
      for (const { job, ok, value } of outcomes) {
        if (ok) job.resolve(value)
        else job.reject(value)
      }
      settled(outcomes.length)
    }
    deps.afterSync()
  }

  function rejectGroups(groups: readonly Group[], error: Error): void {
    for (const { outcomes } of groups) {
      for (const { job } of outcomes) job.reject(error)
      settled(outcomes.length)
    }
  }

  function settled(count: number): void {
    unsettled -= count
    if (unsettled === 0) for (const wake of drained.splice(0)) wake()
  }

  return {
    write<T>(label: string, body: () => Tx<T>): Promise<T> {
      if (fault !== undefined) return Promise.reject(fault)
      if (unsettled >= options.maxQueue)
        return Promise.reject(new StorageError('overloaded', `${label}: ${unsettled} writes wait already`))
      return new Promise<T>((resolve, reject) => {
        unsettled++
        queue.push({ label, body, resolve: resolve as (value: unknown) => void, reject })
        schedule()
      })
    },
    position: () => durable,
    pause() {
      paused = true
    },
    resume() {
      paused = false
      schedule()
    },
    fail(error) {
      fault ??= error
      const jobs = queue
      queue = []
      for (const job of jobs) job.reject(fault)
      settled(jobs.length)
      // Groups whose sync is in flight are rejected when it returns.
      rejectGroups(unsynced, fault)
      unsynced = []
    },
    drain() {
      if (unsettled === 0) return Promise.resolve()
      return new Promise((resolve) => drained.push(resolve))
    },
  }
}
