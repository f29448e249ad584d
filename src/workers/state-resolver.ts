import { Worker } from 'node:worker_threads'
import type { PortableEvent, PortableResolution } from '../core/state/portable.js'
import type { Logger } from '../platform/logger.js'
import { createSemaphore } from '../platform/semaphore.js'
import type { ResolutionAnswer, ResolutionMessage } from './state-resolution-protocol.js'

/** Resolves conflicts of states in threads of their own, each one at a time. */
export interface StateResolver {
  /**
   * What is decided, by key; see `resolvePortable`. `events` come in parts, each taken when the one before is handed over. Rejects where it takes
   * longer or needs more memory than it may, with `SemaphoreFullError` where too many wait already, and after `close`.
   */
  resolve(
    resolution: PortableResolution,
    events: AsyncIterable<readonly PortableEvent[]>,
  ): Promise<ReadonlyMap<string, string>>
  /** Ends all threads; what they were at rejects. */
  close(): Promise<void>
}

export interface StateResolverDeps {
  readonly logger: Logger
  readonly options?: {
    /** Default 2: one hard conflict does not hold up another room's. */
    readonly threads?: number
    /** Conflicts that may wait for a thread. Default 100. */
    readonly maxWaiting?: number
    /** The budget of one conflict, in milliseconds; then the thread is ended. Default 30 seconds. */
    readonly budgetMs?: number
    /** Of a thread's heap, in MiB. Default 512. */
    readonly memoryMib?: number
    /** An idle thread ends after so long. Default 60 seconds. */
    readonly idleMs?: number
    /** For tests, which run the program from its source. */
    readonly program?: URL
  }
}

interface Thread {
  readonly worker: Worker
  idleTimer: NodeJS.Timeout | undefined
}

export function createStateResolver({ logger, options = {} }: StateResolverDeps): StateResolver {
  const { threads = 2, maxWaiting = 100, budgetMs = 30_000, memoryMib = 512, idleMs = 60_000 } = options
  const program = options.program ?? new URL('./state-resolution-thread.js', import.meta.url)
  const slots = createSemaphore({ permits: threads, maxWaiting })
  const alive = new Set<Worker>()
  const idle: Thread[] = []
  let closed = false

  function start(): Thread {
    const worker = new Worker(program, { resourceLimits: { maxOldGenerationSizeMb: memoryMib } })
    const thread: Thread = { worker, idleTimer: undefined }
    alive.add(worker)
    // What it was at has a listener of its own; an error that nobody hears would end the process.
    worker.on('error', (error) => logger.warn({ err: error }, 'a thread for state resolution failed'))
    worker.once('exit', () => {
      alive.delete(worker)
      clearTimeout(thread.idleTimer)
      const place = idle.indexOf(thread)
      if (place >= 0) idle.splice(place, 1)
    })
    return thread
  }

  function take(): Thread {
    const thread = idle.pop() ?? start()
    clearTimeout(thread.idleTimer)
    // An idle thread does not keep the program alive, a busy one does.
    thread.worker.ref()
    return thread
  }

  function putBack(thread: Thread): void {
    thread.worker.unref()
    idle.push(thread)
    thread.idleTimer = setTimeout(() => void thread.worker.terminate(), idleMs)
    thread.idleTimer.unref()
  }

  function ask(
    { worker }: Thread,
    resolution: PortableResolution,
    events: AsyncIterable<readonly PortableEvent[]>,
  ): Promise<ResolutionAnswer> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        worker.off('message', answered)
        worker.off('error', failed)
        worker.off('exit', ended)
        settle()
      }
      const answered = (answer: ResolutionAnswer): void => end(() => resolve(answer))
      const failed = (error: Error): void => end(() => reject(error))
      const ended = (): void => failed(new Error('the thread for state resolution ended'))
      const timer = setTimeout(() => {
        failed(new Error(`a state resolution took longer than ${budgetMs} ms`))
      }, budgetMs)
      worker.once('message', answered)
      worker.once('error', failed)
      worker.once('exit', ended)
      const post = (message: ResolutionMessage): void => worker.postMessage(message)
      const hand = async (): Promise<void> => {
        for await (const part of events) post({ kind: 'events', events: part })
        post({ kind: 'resolve', resolution })
      }
      hand().catch(failed)
    })
  }

  return {
    resolve: (resolution, events) =>
      slots.run(async () => {
        if (closed) throw new Error('state resolution has ended')
        const thread = take()
        try {
          const answer = await ask(thread, resolution, events)
          if (!answer.ok) throw new Error(`states could not be resolved: ${answer.reason}`)
          putBack(thread)
          return new Map(answer.resolved)
        } catch (error) {
          // It may hold events of this work, or go on with it: the next one gets a new thread.
          logger.warn({ err: error, roomId: resolution.roomId }, 'a state resolution failed')
          void thread.worker.terminate()
          throw error
        }
      }),
    async close() {
      closed = true
      await Promise.all([...alive].map((worker) => worker.terminate()))
    },
  }
}
