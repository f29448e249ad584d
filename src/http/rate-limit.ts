import { MatrixError } from '../core/errors.js'
import type { Clock } from '../platform/clock.js'
import type { RateLimit } from './route.js'

export interface Budget {
  /** Requests a second, sustained. */
  readonly per_second: number
  readonly burst: number
}

/** Absent: no limit. */
export type RateLimits = Partial<Record<RateLimit, Budget>>

export interface RateLimiter {
  /** Takes one from the budget of `key`; throws M_LIMIT_EXCEEDED with `retry_after_ms` when it is spent. */
  take(limit: RateLimit, key: string): void
}

const MAX_KEYS = 50_000

/** One token bucket for each (limit, key). Bounded: the least recently used bucket is forgotten, i.e. full again. */
export function createRateLimiter(limits: RateLimits, clock: Clock): RateLimiter {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    take(limit, key) {
      const budget = limits[limit]
      if (budget === undefined) return
      const id = `${limit} ${key}`
      const now = clock.monotonic()
      const known = buckets.get(id)
      const tokens =
        known === undefined
          ? budget.burst
          : Math.min(budget.burst, known.tokens + ((now - known.at) / 1000) * budget.per_second)
      buckets.delete(id)
      if (tokens < 1) {
        buckets.set(id, { tokens, at: now })
        const wait = Math.ceil(((1 - tokens) / budget.per_second) * 1000)
        throw new MatrixError(
          'M_LIMIT_EXCEEDED',
          `Too many requests; try again in ${Math.ceil(wait / 1000)} s`,
          {
            retry_after_ms: wait,
          },
        )
      }
      buckets.set(id, { tokens: tokens - 1, at: now })
      if (buckets.size > MAX_KEYS) buckets.delete(buckets.keys().next().value!)
    },
  }
}
