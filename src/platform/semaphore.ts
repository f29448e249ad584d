/** Lets a bounded number of tasks run at once; further ones wait in order of arrival, up to a bound of their own. */
export interface Semaphore {
  /** Runs the task once there is room. Rejects with `SemaphoreFullError` where too many wait, with the signal's reason where it is aborted while waiting. */
  run<T>(task: () => Promise<T> | T, signal?: AbortSignal): Promise<T>
  readonly active: number
  readonly waiting: number
}

export interface SemaphoreOptions {
  permits: number
  /** The most tasks that may wait; without it as many as come. */
  maxWaiting?: number
}

export class SemaphoreFullError extends Error {
  constructor() {
    super('too many tasks wait already')
    this.name = 'SemaphoreFullError'
  }
}

export function createSemaphore(options: SemaphoreOptions): Semaphore {
  const { permits, maxWaiting = Infinity } = options
  if (!(permits >= 1)) throw new RangeError('a semaphore needs at least one permit')
  let active = 0
  // A Set keeps the order of arrival and drops an aborted waiter in constant time.
  const waiters = new Set<() => void>()

  function enter(signal: AbortSignal | undefined): Promise<void> | undefined {
    signal?.throwIfAborted()
    if (active < permits) {
      active++
      return undefined
    }
    if (waiters.size >= maxWaiting) throw new SemaphoreFullError()
    return new Promise((resolve, reject) => {
      const admitted = (): void => {
        signal?.removeEventListener('abort', aborted)
        resolve()
      }
      const aborted = (): void => {
        waiters.delete(admitted)
        reject(signal?.reason as Error)
      }
      waiters.add(admitted)
      signal?.addEventListener('abort', aborted, { once: true })
    })
  }

  /** A permit goes straight to the next waiter, so that nobody who arrives in between overtakes it. */
  function leave(): void {
    const next = waiters.values().next()
    if (next.done) {
      active--
      return
    }
    waiters.delete(next.value)
    next.value()
  }

  return {
    async run(task, signal) {
      await enter(signal)
      try {
        return await task()
      } finally {
        leave()
      }
    },
    get active() {
      return active
    },
    get waiting() {
      return waiters.size
    },
  }
}
