import { fork, type ChildProcess } from 'node:child_process'
import type { Logger } from '../platform/logger.js'
import { createSemaphore, SemaphoreFullError } from '../platform/semaphore.js'
import { MEMORY_EXIT_CODE, type ThumbnailAnswer, type ThumbnailWork } from './thumbnail-protocol.js'

export type ThumbnailPoolOutcome =
  ThumbnailAnswer | { readonly ok: false; readonly fault: 'timeout' | 'crashed' | 'busy' }

/** Makes thumbnails in processes of their own, each one picture at a time. */
export interface ThumbnailPool {
  /** Never rejects: whatever a picture does to the process that decodes it is a fault in the outcome. */
  render(job: Omit<ThumbnailWork, 'memoryBytes' | 'timeoutMs'>): Promise<ThumbnailPoolOutcome>
  /** Ends all processes; what they were making is a `crashed`. */
  close(): Promise<void>
}

export interface ThumbnailPoolDeps {
  readonly logger: Logger
  readonly options?: {
    /** Default 1. */
    readonly processes?: number
    /** Pictures that may wait for a process; default 100. */
    readonly maxWaiting?: number
    /** Default 20 seconds; then the process is killed. */
    readonly timeoutMs?: number
    /** Resident bytes of a process; default 512 MiB. */
    readonly memoryBytes?: number
    /** An idle process ends after so long; default 60 seconds. */
    readonly idleMs?: number
    /** For tests, which run the program from its source. */
    readonly program?: URL
    readonly nodeOptions?: readonly string[]
  }
}

/** Leaks of decoders are bounded by starting afresh now and then. */
const MAX_JOBS = 500

interface Worker {
  readonly child: ChildProcess
  jobs: number
  idleTimer: NodeJS.Timeout | undefined
}

export function createThumbnailPool(deps: ThumbnailPoolDeps): ThumbnailPool {
  const options = deps.options ?? {}
  const timeoutMs = options.timeoutMs ?? 20_000
  const memoryBytes = options.memoryBytes ?? 512 * 1024 * 1024
  const program = options.program ?? new URL('./thumbnail-process.js', import.meta.url)
  const slots = createSemaphore({
    permits: options.processes ?? 1,
    maxWaiting: options.maxWaiting ?? 100,
  })
  const idle: Worker[] = []
  const alive = new Set<ChildProcess>()
  let closed = false

  function start(): Worker {
    const child = fork(program, [], {
      execArgv: ['--max-old-space-size=64', ...(options.nodeOptions ?? [])],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // No secret of the server's environment is in reach of a picture.
      env: { MALLOC_ARENA_MAX: '2', PATH: process.env['PATH'] },
    })
    alive.add(child)
    child.once('exit', () => alive.delete(child))
    child.on('error', (error) => deps.logger.warn({ err: error }, 'thumbnail process failed'))
    return { child, jobs: 0, idleTimer: undefined }
  }

  function take(): Worker {
    for (;;) {
      const worker = idle.pop()
      if (worker === undefined) return start()
      clearTimeout(worker.idleTimer)
      // It may have been ended from outside while it was idle.
      if (worker.child.connected) return worker
    }
  }

  function putBack(worker: Worker): void {
    const usable = worker.child.connected && worker.jobs < MAX_JOBS && !closed
    if (!usable) {
      worker.child.kill('SIGKILL')
      return
    }
    worker.idleTimer = setTimeout(() => {
      idle.splice(idle.indexOf(worker), 1)
      worker.child.kill('SIGKILL')
    }, options.idleMs ?? 60_000)
    worker.idleTimer.unref()
    idle.push(worker)
  }

  function ask(worker: Worker, work: ThumbnailWork): Promise<ThumbnailPoolOutcome> {
    const { child } = worker
    worker.jobs++
    return new Promise((resolve) => {
      const finish = (outcome: ThumbnailPoolOutcome): void => {
        clearTimeout(timer)
        child.off('message', answered)
        child.off('exit', ended)
        child.off('error', failed)
        resolve(outcome)
      }
      const answered = (answer: unknown): void => finish(answer as ThumbnailAnswer)
      const ended = (code: number | null, signal: string | null): void => {
        deps.logger.warn({ code, signal }, 'a thumbnail process ended while decoding a picture')
        finish({ ok: false, fault: code === MEMORY_EXIT_CODE ? 'too-large' : 'crashed' })
      }
      const failed = (): void => {
        child.kill('SIGKILL')
        finish({ ok: false, fault: 'crashed' })
      }
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        deps.logger.warn({ timeoutMs }, 'a thumbnail took too long')
        finish({ ok: false, fault: 'timeout' })
      }, timeoutMs)
      child.once('message', answered)
      child.once('exit', ended)
      child.once('error', failed)
      child.send(work, (error) => {
        if (error !== null) failed()
      })
    })
  }

  return {
    async render(job) {
      if (closed) return { ok: false, fault: 'busy' }
      try {
        return await slots.run(async (): Promise<ThumbnailPoolOutcome> => {
          if (closed) return { ok: false, fault: 'busy' }
          const worker = take()
          const outcome = await ask(worker, { ...job, memoryBytes, timeoutMs })
          // After a kill the process may still look connected for a moment.
          if (!outcome.ok && (outcome.fault === 'timeout' || outcome.fault === 'crashed')) {
            worker.child.kill('SIGKILL')
          } else {
            putBack(worker)
          }
          return outcome
        })
      } catch (error) {
        if (error instanceof SemaphoreFullError) return { ok: false, fault: 'busy' }
        throw error
      }
    },
    async close() {
      closed = true
      for (const worker of idle.splice(0)) clearTimeout(worker.idleTimer)
      await Promise.all(
        [...alive].map(
          (child) =>
            new Promise<void>((resolve) => {
              child.once('exit', () => resolve())
              child.kill('SIGKILL')
            }),
        ),
      )
    },
  }
}
