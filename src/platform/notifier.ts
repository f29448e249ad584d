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

/** Woken together: what they have to say goes out together. */
const TOGETHER = 4
/** Between so many the event loop looks after everything else. */
const WOKEN_IN_A_TURN = 16

export function createNotifier(): Notifier {
  const byKey = new Map<string, Set<Waiter>>()
  let pending: Set<string> | undefined
  let size = 0
  const ready = new Set<Waiter>()
  let waking = false

  function flush(): void {
    const keys = pending!
    pending = undefined
    for (const key of keys) {
      for (const waiter of byKey.get(key) ?? []) {
        waiter.woken = true
        if (waiter.wake !== undefined) ready.add(waiter)
      }
    }
    if (!waking) wakeSome()
  }

  /**
   * A few after a few others: what they do at once they do before the next begin. Woken all together they would take turns at each
   * `await`, and all would be done only when the last one is. One by one would be as good, but for whom they write to: if that is
   * a process of this machine, it wakes at each, and two that wake each other in turn cost more than the work.
   */
  function wakeSome(): void {
    const some: Waiter[] = []
    for (const waiter of ready) {
      if (some.length === WOKEN_IN_A_TURN) break
      ready.delete(waiter)
      some.push(waiter)
    }
    for (let at = 0; at < some.length; at += TOGETHER) {
      const few = some.slice(at, at + TOGETHER)
      setImmediate(() => {
        for (const waiter of few) waiter.wake?.()
      })
    }
    waking = ready.size > 0
    if (waking) setImmediate(wakeSome)
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
              const { woken } = waiter
              waiter.wake = undefined
              waiter.woken = false
              // Who was to be woken at its turn misses nothing by the end of its time.
              resolve(result || woken)
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
