import type { Clock } from './clock.js'
import type { Logger } from './logger.js'

/** Looks from time to time whether the clock on the wall goes as time does, and says so where it does not. */
export interface ClockWatch {
  look(): void
}

/** Smaller steps are those of ordinary time synchronisation. */
const STEP_MS = 5_000
/** Before this program was written. */
const EARLIEST = Date.UTC(2024, 0, 1)

/**
 * Durations are measured with the monotonic clock and do not care. What is compared with moments that are written down does:
 * lifetimes of tokens, keys, certificates and media, pauses that outlast a restart, and the times that people see.
 */
export function createClockWatch(deps: { readonly clock: Clock; readonly logger: Logger }): ClockWatch {
  const { clock, logger } = deps
  let offset = clock.now() - clock.monotonic()

  function saySoIfAbsurd(): void {
    if (clock.now() >= EARLIEST) return
    logger.error(
      { now: new Date(clock.now()).toISOString() },
      'the clock of this machine is wrong: other servers will refuse this one until it is set, for instance by NTP',
    )
  }
  saySoIfAbsurd()

  return {
    look() {
      const now = clock.now() - clock.monotonic()
      const step = now - offset
      if (Math.abs(step) < STEP_MS) return
      offset = now
      logger.warn(
        { stepMs: Math.round(step), now: new Date(clock.now()).toISOString() },
        step < 0
          ? 'the clock of this machine stepped back; messages carry earlier times than those before them'
          : 'the clock of this machine stepped forward; access tokens and keys may have ended early',
      )
      saySoIfAbsurd()
    },
  }
}
