import type { Random } from './random.js'

export interface BackoffOptions {
  /** The wait after the first failure, in milliseconds. */
  initialMs: number
  /** No wait is longer, jitter included. */
  maxMs: number
  /** Each further failure multiplies the wait by this. Default 2. */
  factor?: number
  /** The share of the wait that is drawn at random, 0 to 1, so that many waiters do not come back at once. Default 0.2. */
  jitter?: number
}

/**
 * The wait before the next attempt, in whole milliseconds, after `failures` failures in a row (0 gives 0).
 * It lies between `1 - jitter` and 1 times the full wait.
 */
export function backoffDelay(
  options: BackoffOptions,
  failures: number,
  random: Pick<Random, 'bytes'>,
): number {
  if (failures <= 0) return 0
  const { initialMs, maxMs, factor = 2, jitter = 0.2 } = options
  const full = Math.min(maxMs, initialMs * factor ** Math.min(failures - 1, 1_000))
  return Math.round(full * (1 - jitter * fraction(random)))
}

/** Uniform in [0, 1). */
function fraction(random: Pick<Random, 'bytes'>): number {
  let value = 0
  for (const byte of random.bytes(4)) value = value * 256 + byte
  return value / 2 ** 32
}
