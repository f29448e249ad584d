import type { Clock } from '../../../platform/clock.js'
import { createLru } from '../../../platform/lru.js'

/**
 * Who may be asked now for what staged events lack. Questions to slow servers take a minute each: no server has more than a few under way,
 * and those that were slow last time take their places from one another alone.
 */
export interface FillLanes {
  /** Whether there is a place for what this server has sent. */
  isFree(origin: string): boolean
  /** Runs a task in a place. Pre: `isFree(origin)`. */
  run(origin: string, task: () => Promise<void>): Promise<void>
}

const PER_ORIGIN = 4
const QUICK = 16
const SLOW = 8
/** Who takes longer is slow for a while. Milliseconds. */
const SLOW_FROM = 5_000
const SLOW_FOR = 10 * 60_000

export function createFillLanes(clock: Clock): FillLanes {
  const byOrigin = new Map<string, number>()
  const slowOnes = createLru<string, true>({ max: 10_000, ttlMs: SLOW_FOR, clock })
  const taken = { quick: 0, slow: 0 }
  const laneOf = (origin: string): 'quick' | 'slow' => (slowOnes.get(origin) === true ? 'slow' : 'quick')

  return {
    isFree(origin) {
      const lane = laneOf(origin)
      return (byOrigin.get(origin) ?? 0) < PER_ORIGIN && taken[lane] < (lane === 'slow' ? SLOW : QUICK)
    },

    async run(origin, task) {
      const lane = laneOf(origin)
      const began = clock.monotonic()
      taken[lane] += 1
      byOrigin.set(origin, (byOrigin.get(origin) ?? 0) + 1)
      try {
        await task()
      } finally {
        taken[lane] -= 1
        const left = byOrigin.get(origin)! - 1
        if (left > 0) byOrigin.set(origin, left)
        else byOrigin.delete(origin)
        if (clock.monotonic() - began > SLOW_FROM) slowOnes.set(origin, true)
        else slowOnes.delete(origin)
      }
    },
  }
}
