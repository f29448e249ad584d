import { setImmediate } from 'node:timers/promises'

/**
 * For long work in small steps: called between two steps it gives everything else its turn, once so much time has passed since
 * it last did. Awaiting a promise alone does not: work that finds all it awaits in memory keeps the event loop to itself.
 */
export type Pace = () => Promise<void> | undefined

/** Milliseconds; a fraction of what a request may hold up others. */
const TURN_MS = 10

export function createPace(turnMs = TURN_MS): Pace {
  let since = performance.now()

  async function giveTurn(): Promise<void> {
    await setImmediate()
    since = performance.now()
  }

  return () => (performance.now() - since < turnMs ? undefined : giveTurn())
}
