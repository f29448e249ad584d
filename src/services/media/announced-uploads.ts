import { MatrixError } from '../../core/errors.js'

const POLL_MS = 1000
const MAX_WAITERS = 1000

/** Downloads that wait for an announced upload to arrive. */
export interface Arrivals {
  /**
   * Calls `look` now, on arrival, and once a second (an upload may arrive at another process), until it gives
   * something or `timeoutMs` has passed; then undefined. Throws M_LIMIT_EXCEEDED when too many wait already.
   */
  wait<T>(
    mediaId: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    look: () => Promise<T | undefined>,
  ): Promise<T | undefined>
  arrived(mediaId: string): void
}

export function createArrivals(clock: { monotonic(): number }): Arrivals {
  const waiting = new Map<string, Set<() => void>>()
  let waiters = 0

  function nextLook(mediaId: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wakers = waiting.get(mediaId) ?? new Set()
      waiting.set(mediaId, wakers)
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        wakers.delete(wake)
        if (wakers.size === 0 && waiting.get(mediaId) === wakers) waiting.delete(mediaId)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      wakers.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }

  return {
    async wait(mediaId, timeoutMs, signal, look) {
      if (waiters >= MAX_WAITERS) {
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many downloads wait for uploads', {
          retry_after_ms: 5000,
        })
      }
      waiters++
      try {
        const until = clock.monotonic() + timeoutMs
        for (;;) {
          const left = until - clock.monotonic()
          // Subscribed before looking: what arrives in between still wakes.
          const woken = nextLook(mediaId, Math.max(0, Math.min(left, POLL_MS)), signal)
          const found = await look()
          if (found !== undefined || left <= 0 || signal?.aborted === true) return found
          await woken
        }
      } finally {
        waiters--
      }
    },
    arrived(mediaId) {
      for (const wake of waiting.get(mediaId) ?? []) wake()
    },
  }
}
