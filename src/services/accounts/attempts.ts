import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'

export interface AttemptOptions {
  /** Wrong passwords for one account from one address. */
  readonly perAddress: number
  /** Wrong passwords for one account from anywhere. */
  readonly perAccount: number
  readonly windowMs: number
}

/**
 * Slows down the guessing of passwords: after too many wrong ones for an account, further attempts are refused until
 * the window is over. The bound for one address is the lower one, so that a stranger does not easily lock a user out.
 */
export interface Attempts {
  /**
   * Counts an attempt as wrong until it is said what became of it, so that many at the same moment are no way around the bound.
   * Throws M_LIMIT_EXCEEDED with `retry_after_ms`.
   */
  admit(account: string, ip: string): Attempt
}

export interface Attempt {
  /** The password was right. */
  succeeded(): void
  /** It was not looked at. */
  withdrawn(): void
}

interface Count {
  failures: number
  readonly until: number
}

const MAX_KEYS = 50_000

export function createAttempts(clock: Pick<Clock, 'monotonic'>, options?: AttemptOptions): Attempts {
  if (options === undefined)
    return { admit: () => ({ succeeded: () => undefined, withdrawn: () => undefined }) }
  const counts = new Map<string, Count>()

  function live(key: string): Count | undefined {
    const count = counts.get(key)
    if (count === undefined || count.until > clock.monotonic()) return count
    counts.delete(key)
    return undefined
  }
  function refuse(key: string, max: number): void {
    const count = live(key)
    if (count === undefined || count.failures < max) return
    const wait = Math.ceil(count.until - clock.monotonic())
    throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many wrong passwords; try again later', {
      retry_after_ms: wait,
    })
  }
  function count(key: string): void {
    const known = live(key)
    if (known !== undefined) {
      known.failures++
      return
    }
    counts.set(key, { failures: 1, until: clock.monotonic() + options!.windowMs })
    if (counts.size > MAX_KEYS) counts.delete(counts.keys().next().value!)
  }
  function uncount(key: string): void {
    const known = live(key)
    if (known !== undefined && known.failures > 0) known.failures--
  }
  // A user id has no space, so that the keys of the two kinds cannot meet.
  const both = (account: string, ip: string): string => `${account} ${ip}`

  return {
    admit(account, ip) {
      refuse(both(account, ip), options.perAddress)
      refuse(account, options.perAccount)
      const keys = [both(account, ip), account]
      for (const key of keys) count(key)
      return {
        succeeded() {
          counts.delete(both(account, ip))
          uncount(account)
        },
        withdrawn() {
          for (const key of keys) uncount(key)
        },
      }
    },
  }
}
