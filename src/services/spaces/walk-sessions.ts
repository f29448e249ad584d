import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'

/** Pages to come, kept in memory until somebody asks for them: their number, their age and their size are bounded. */
export interface WalkSessions<T> {
  /** Gives the token. `weight`: about how many entries the value holds. */
  put(value: T, weight: number): string
  /** Undefined for a token that is unknown or too old. A token may be used again, as a client repeats a request. */
  get(token: string): T | undefined
}

export interface WalkSessionLimits {
  readonly lifetimeMs: number
  readonly maxWeight: number
}

const LIMITS: WalkSessionLimits = { lifetimeMs: 15 * 60_000, maxWeight: 200_000 }

/** TODO: with several processes on one PostgreSQL a page must come from the process that gave the token. */
export function createWalkSessions<T>(
  deps: { readonly clock: Clock; readonly random: Random },
  { lifetimeMs, maxWeight }: WalkSessionLimits = LIMITS,
): WalkSessions<T> {
  const { clock, random } = deps
  const sessions = new Map<string, { readonly value: T; readonly weight: number; readonly until: number }>()
  let total = 0

  function drop(token: string): void {
    total -= sessions.get(token)?.weight ?? 0
    sessions.delete(token)
  }

  return {
    put(value, weight) {
      const token = `h1_${random.string(22)}`
      const cost = weight + 10
      sessions.set(token, { value, weight: cost, until: clock.monotonic() + lifetimeMs })
      total += cost
      for (const [oldest, { until }] of sessions) {
        if (until > clock.monotonic() && total <= maxWeight) break
        drop(oldest)
      }
      return token
    },
    get(token) {
      const session = sessions.get(token)
      return session !== undefined && session.until > clock.monotonic() ? session.value : undefined
    },
  }
}
