/**
 * Wakes long polls. A wake-up carries no data: whoever wakes computes anew. The order that loses nothing is
 * subscribe, compute, wait. Wake-ups of one tick are coalesced.
 */
export interface Subscription {
  /** Resolves true on a wake-up since `subscribe` or the last `wait`, false on time-out or abort. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<boolean>
  close(): void
}

export interface Notifier {
  /** `keys` are user ids; what concerns a room wakes its local members, and who waits for the room's id. */
  subscribe(keys: Iterable<string>): Subscription
  notify(keys: Iterable<string>): void
  /** How many subscriptions are open. */
  readonly size: number
}

interface Waiter {
  woken: boolean
  wake: (() => void) | undefined
}

export function createNotifier(): Notifier {
  const byKey = new Map<string, Set<Waiter>>()
  let pending: Set<string> | undefined
  let size = 0

  function flush(): void {
    const keys = pending!
    pending = undefined
    for (const key of keys) {
      for (const waiter of byKey.get(key) ?? []) {
        waiter.woken = true
        waiter.wake?.()
      }
    }
  }

  return {
    get size() {
      return size
    },
    notify(keys) {
      for (const key of keys) {
        if (!byKey.has(key)) continue
        if (pending === undefined) {
          pending = new Set()
          setImmediate(flush)
        }
        pending.add(key)
      }
    },
    subscribe(keys) {
      const waiter: Waiter = { woken: false, wake: undefined }
      const mine = [...new Set(keys)]
      for (const key of mine) {
        const set = byKey.get(key)
        if (set === undefined) byKey.set(key, new Set([waiter]))
        else set.add(waiter)
      }
      size++
      let open = true
      return {
        wait(timeoutMs, signal) {
          if (waiter.woken) {
            waiter.woken = false
            return Promise.resolve(true)
          }
          if (signal.aborted || timeoutMs <= 0) return Promise.resolve(false)
          return new Promise((resolve) => {
            const done = (result: boolean): void => {
              clearTimeout(timer)
              signal.removeEventListener('abort', onAbort)
              waiter.wake = undefined
              waiter.woken = false
              resolve(result)
            }
            const onAbort = (): void => done(false)
            const timer = setTimeout(() => done(false), timeoutMs)
            signal.addEventListener('abort', onAbort, { once: true })
            waiter.wake = () => done(true)
          })
        },
        close() {
          if (!open) return
          open = false
          size--
          for (const key of mine) {
            const set = byKey.get(key)
            set?.delete(waiter)
            if (set?.size === 0) byKey.delete(key)
          }
        },
      }
    },
  }
}
