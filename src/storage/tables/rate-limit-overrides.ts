import { one, run, type Tx } from '../tx.js'

/** How many messages a user may send a second, and at once, in place of what is configured. 0 a second: any number. */
export interface RateLimitOverride {
  readonly per_second: number
  readonly burst: number
}

export function* rateLimitOverride(userId: string): Tx<RateLimitOverride | undefined> {
  return yield* one<RateLimitOverride>(
    'SELECT per_second, burst FROM rate_limit_overrides WHERE user_id = ?',
    userId,
  )
}

export function* setRateLimitOverride(userId: string, row: RateLimitOverride): Tx<void> {
  yield* run(
    `INSERT INTO rate_limit_overrides (user_id, per_second, burst) VALUES (?, ?, ?)
     ON CONFLICT (user_id) DO UPDATE SET per_second = excluded.per_second, burst = excluded.burst`,
    userId,
    row.per_second,
    row.burst,
  )
}

export function* deleteRateLimitOverride(userId: string): Tx<void> {
  yield* run('DELETE FROM rate_limit_overrides WHERE user_id = ?', userId)
}
