import { MatrixError } from '../core/errors.js'
import type { Clock } from '../platform/clock.js'
import { createLru } from '../platform/lru.js'
import type { RateLimit } from './route.js'

export interface Budget {
  /** Requests a second, sustained. */
  readonly per_second: number
  readonly burst: number
}

/** Absent: no limit. */
export type RateLimits = Partial<Record<RateLimit, Budget>>

export interface RateLimiter {
  /**
   * Takes one from the budget of `key`; throws M_LIMIT_EXCEEDED with `retry_after_ms` when it is spent. `own`: the key's budget in place
   * of that of all; 0 a second: no limit.
   */
  take(limit: RateLimit, key: string, own?: Budget): void
}

const MAX_KEYS = 50_000

/** One token bucket for each (limit, key). Bounded: a bucket that was not used for long is forgotten, i.e. full again. */
export function createRateLimiter(limits: RateLimits, clock: Clock): RateLimiter {
  const buckets = createLru<string, { tokens: number; at: number }>({ max: MAX_KEYS })
  return {
    take(limit, key, own) {
      const configured = limits[limit]
      if (configured === undefined || own?.per_second === 0) return
      const budget = own === undefined ? configured : { ...own, burst: Math.max(1, own.burst) }
      const id = `${limit} ${key}`
      const now = clock.monotonic()
      let bucket = buckets.get(id)
      if (bucket === undefined) {
        bucket = { tokens: budget.burst, at: now }
        buckets.set(id, bucket)
      }
      bucket.tokens = Math.min(budget.burst, bucket.tokens + ((now - bucket.at) / 1000) * budget.per_second)
      bucket.at = now
      if (bucket.tokens < 1) {
        const wait = Math.ceil(((1 - bucket.tokens) / budget.per_second) * 1000)
        throw new MatrixError(
          'M_LIMIT_EXCEEDED',
          `Too many requests; try again in ${Math.ceil(wait / 1000)} s`,
          {
            retry_after_ms: wait,
          },
        )
      }
      bucket.tokens--
    },
  }
}
