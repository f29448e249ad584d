import type { Clock } from '../platform/clock.js'

/**
 * One counter for all that is kept in memory only and shown in `/sync`: typing and presence. Sync tokens hold it beside the
 * stream position. It begins beyond what a former run of the program gave out.
 */
export interface EphemeralPositions {
  current(): number
  next(): number
}

export function createEphemeralPositions(clock: Pick<Clock, 'now'>): EphemeralPositions {
  let position = clock.now()
  return { current: () => position, next: () => ++position }
}
