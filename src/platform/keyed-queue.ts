/** One FIFO queue per key; the queues of different keys run side by side. */
export interface KeyedQueue {
  /**
   * Runs the task after all earlier tasks of the same key have ended, well or badly.
   * Rejects with `QueueFullError` without running it where the key's queue, or all queues together, are full.
   */
  run<T>(key: string, task: () => Promise<T> | T): Promise<T>
  /** Tasks of this key, the running one included. */
  length(key: string): number
  /** Tasks of all keys. */
  readonly total: number
  /** Resolves once every task accepted so far, and every one that they start meanwhile, has ended. */
  idle(): Promise<void>
}

export interface KeyedQueueOptions {
  /** The most tasks of one key, the running one included. */
  maxPerKey?: number
  maxTotal?: number
}

export class QueueFullError extends Error {
  readonly key: string
  constructor(key: string) {
    super('the queue is full')
    this.name = 'QueueFullError'
    this.key = key
  }
}

export function createKeyedQueue(options: KeyedQueueOptions = {}): KeyedQueue {
  const { maxPerKey = 1_000, maxTotal = 100_000 } = options
  /** Present while a task of the key runs or waits, so that idle keys cost nothing. */
  const queues = new Map<string, (() => Promise<void>)[]>()
  let total = 0
  let idlers: (() => void)[] = []

  async function drain(key: string, queue: (() => Promise<void>)[]): Promise<void> {
    for (let next = 0; next < queue.length; next++) {
      await queue[next]!()
      // The array would otherwise grow for as long as the key is never idle.
      if (next > 64) {
        queue.splice(0, next)
        next = 0
      }
    }
    queues.delete(key)
    if (queues.size === 0) {
      const waiting = idlers
      idlers = []
      for (const resolve of waiting) resolve()
    }
  }

  const lengths = new Map<string, number>()
  const count = (key: string, by: number): void => {
    total += by
    const length = (lengths.get(key) ?? 0) + by
    if (length === 0) lengths.delete(key)
    else lengths.set(key, length)
  }

  return {
    run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
      if ((lengths.get(key) ?? 0) >= maxPerKey || total >= maxTotal)
        return Promise.reject(new QueueFullError(key))
      count(key, 1)
      return new Promise<T>((resolve, reject) => {
        const job = async (): Promise<void> => {
          try {
            resolve(await task())
          } catch (error) {
            reject(error as Error)
          } finally {
            count(key, -1)
          }
        }
        const queue = queues.get(key)
        if (queue === undefined) {
          const own = [job]
          queues.set(key, own)
          void drain(key, own)
        } else {
          queue.push(job)
        }
      })
    },
    length: (key) => lengths.get(key) ?? 0,
    get total() {
      return total
    },
    idle: () => (queues.size === 0 ? Promise.resolve() : new Promise((resolve) => idlers.push(resolve))),
  }
}
