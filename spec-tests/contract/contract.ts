import { createChecker, type ContractChecker, type Seen } from './checker.js'
import { loadDefinitions, SPEC_DATA } from './definitions.js'
import { tightening } from './tightening.js'

/** An answer that the specification does not allow. */
export class ContractError extends Error {
  override readonly name = 'ContractError'
  /** What is wrong, in one sentence each. */
  readonly faults: readonly string[]
  constructor(message: string, faults: readonly string[]) {
    super(message)
    this.faults = faults
  }
}

let checker: ContractChecker | undefined | 'absent'

/** The checker of the specification's definitions; undefined where they are absent, which is said once per process. */
export function contractChecker(): ContractChecker | undefined {
  if (checker === undefined) {
    const definitions = process.env['CHANCERY_NO_CONTRACT'] === '1' ? undefined : loadDefinitions()
    if (definitions === undefined) {
      if (process.env['CHANCERY_CONTRACT_TOLD'] === undefined) {
        process.env['CHANCERY_CONTRACT_TOLD'] = '1'
        console.log(`no API definitions at ${SPEC_DATA}: answers are not checked against the specification`)
      }
      checker = 'absent'
    } else checker = createChecker(definitions, tightening)
  }
  return checker === 'absent' ? undefined : checker
}

/** Throws a `ContractError` that names every fault of the answer. */
export function assertContract(seen: Seen): void {
  const faults = contractChecker()?.check(seen) ?? []
  if (faults.length === 0) return
  const shown = JSON.stringify(seen.body) ?? ''
  throw new ContractError(
    `${seen.method} ${seen.path} is not as specified:\n  ${faults.join('\n  ')}\n  answer: ${shown.slice(0, 2_000)}`,
    faults,
  )
}
