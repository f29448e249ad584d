import { fstatSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../platform/clock.js'
import type { StoreLogger, StoreObserver } from './observer.js'
import { CHECKPOINT_THREAD } from './sqlite-checkpoint-thread.js'
import { sqliteDriverPath } from './sqlite-driver.js'
import { isSyncFailure } from './sqlite-errors.js'

export interface SqliteCheckpointer {
  /** To be called after writes became durable. */
  written(): void
  /** Waits for the round that runs, and ends the thread. */
  close(): Promise<void>
}

export interface SqliteCheckpointerDeps {
  path: string
  /** The descriptor of the log. */
  log: number
  clock: Clock
  logger: StoreLogger
  observe: StoreObserver
  pauseWrites: () => void
  resumeWrites: () => void
  onFault: (error: Error) => void
  options: { logBytes: number; idleMs: number }
}

type Answer =
  | { readonly kind: 'copied' }
  | { readonly kind: 'done'; readonly complete: boolean }
  | { readonly kind: 'failed'; readonly error: { readonly message: string; readonly code?: string } }

/** How long a TRUNCATE waits for readers of other processes or threads, while writes wait for it. */
const THREAD_BUSY_MS = 100
/** After a round that failed or was kept from completing. */
const RETRY_MS = 2_000
/** A log this many times larger than wanted is worth a word. */
const WARN_FACTOR = 16

/**
 * Runs a checkpoint when the log has grown to `logBytes`, and one when nothing was written for `idleMs`.
 * No sync and no copying happens on the event loop; writes wait for the short last part of a round only.
 */
export function createSqliteCheckpointer(deps: SqliteCheckpointerDeps): SqliteCheckpointer {
  const { clock, logger, options } = deps
  const worker = new Worker(CHECKPOINT_THREAD, {
    eval: true,
    workerData: {
      driver: sqliteDriverPath(),
      path: deps.path,
      busyMs: THREAD_BUSY_MS,
    },
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  })
  worker.unref()

  let running = false
  let closing = false
  let dirty = false
  let notBefore = 0
  let roundStarted = 0
  let pausedAt = 0
  let idle: NodeJS.Timeout | undefined
  let finished: () => void = () => undefined

  function start(): void {
    if (running || closing || clock.monotonic() < notBefore) return
    running = true
    dirty = false
    roundStarted = clock.monotonic()
    worker.ref()
    worker.postMessage('checkpoint')
  }

  function finish(complete: boolean): void {
    const now = clock.monotonic()
    deps.resumeWrites()
    running = false
    worker.unref()
    if (!complete) {
      notBefore = now + RETRY_MS
      dirty = true
      warnOfGrowth()
    }
    deps.observe({ kind: 'checkpoint', ms: now - roundStarted, pausedMs: now - pausedAt, complete })
    if (dirty) armIdle()
    finished()
  }

  function warnOfGrowth(): void {
    const bytes = fstatSync(deps.log).size
    if (bytes > options.logBytes * WARN_FACTOR)
      logger.warn(
        { bytes },
        'the write-ahead log grows: something reads an old snapshot, or the disk is full',
      )
  }

  function armIdle(): void {
    idle?.refresh()
    idle ??= setTimeout(() => {
      if (dirty) start()
    }, options.idleMs).unref()
  }

  worker.on('message', (answer: Answer) => {
    if (answer.kind === 'copied') {
      pausedAt = clock.monotonic()
      deps.pauseWrites()
      worker.postMessage('restart')
      return
    }
    if (answer.kind === 'done') {
      finish(answer.complete)
      return
    }
    const error = Object.assign(new Error(`checkpoint: ${answer.error.message}`), { code: answer.error.code })
    logger.error({ err: error }, 'a checkpoint failed; it is tried again')
    if (isSyncFailure(error)) deps.onFault(error)
    finish(false)
  })
  worker.on('error', (error: Error) => {
    deps.onFault(new Error('the checkpoint thread died', { cause: error }))
    finish(false)
  })

  return {
    written() {
      if (closing) return
      dirty = true
      if (!running && fstatSync(deps.log).size >= options.logBytes) start()
      armIdle()
    },
    async close() {
      closing = true
      clearTimeout(idle)
      if (running) await new Promise<void>((resolve) => (finished = resolve))
      worker.ref()
      const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
      worker.postMessage('close')
      await exited
    },
  }
}
