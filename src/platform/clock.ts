/** Milliseconds since the Unix epoch, as Matrix timestamps are; and a clock that never steps, for durations. */
export interface Clock {
  now(): number
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/** A clock for tests: it moves only when told to. */
export interface ManualClock extends Clock {
  advance(ms: number): void
  set(now: number): void
}

export function manualClock(start = 1_700_000_000_000): ManualClock {
  let now = start
  let elapsed = 0
  return {
    now: () => now,
    monotonic: () => elapsed,
    advance: (ms) => {
      now += ms
      elapsed += ms
    },
    set: (value) => {
      now = value
    },
  }
}
