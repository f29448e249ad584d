/** A pause that ends for all who wait in it at the same moment. */
export interface SharedRest {
  /** Resolves at once where few are sent to. */
  rest(): Promise<void>
  /** Ends the present pause. */
  end(): void
}

/** Servers sent to at once from which on there is a pause. */
const MANY = 10
/** The longest, in milliseconds. */
const LONGEST = 50

/**
 * Where many servers are sent to at once, what a busy room says meanwhile goes to each of them in one transaction and not in
 * many: a transaction costs more than the events in it. All wait for the same moment, so that what was sent to them is removed
 * by one commit. `servers`: how many are sent to now.
 */
export function createSharedRest(servers: () => number): SharedRest {
  let resting: Promise<void> | undefined
  let end = (): void => undefined
  return {
    async rest() {
      if (servers() < MANY) return
      resting ??= new Promise<void>((resolve) => {
        const timer = setTimeout(() => end(), Math.min(LONGEST, servers()))
        end = () => {
          clearTimeout(timer)
          resting = undefined
          resolve()
        }
      })
      await resting
    },
    end: () => end(),
  }
}
