import { MatrixError } from '../../../../core/errors.js'
import type { VirtualTime } from './virtual-time.js'

/** How time passes in a run, and what goes wrong meanwhile. */
export interface Passing {
  /** Time passes until the work is done, or, without any, until nothing is left to happen. */
  pass(work?: Promise<unknown>): Promise<void>
  /** Something ended badly: a refusal is counted, anything else is a fault. */
  fault(error: unknown): void
}

/** No run of an honest world needs so many. */
const MAX_STEPS = 60_000

export function createPassing(time: VirtualTime, faults: string[], onRefusal: () => void): Passing {
  let steps = 0
  function fault(error: unknown): void {
    if (error instanceof MatrixError) onRefusal()
    else
      faults.push(`an action failed: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown'}`)
  }
  return {
    fault,
    async pass(work) {
      let open = work !== undefined
      work?.then(
        () => (open = false),
        (error: unknown) => {
          open = false
          fault(error)
        },
      )
      await time.calm()
      while (work === undefined || open) {
        if (!(await time.step())) {
          if (open) faults.push('something waits for ever')
          return
        }
        if (++steps > MAX_STEPS) {
          if (!faults.includes('it never comes to rest')) faults.push('it never comes to rest')
          return
        }
      }
    },
  }
}
