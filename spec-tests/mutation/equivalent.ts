/**
 * Mutants that no test of the operation can tell from a sound server, each with its reason.
 */
interface Equivalent {
  readonly operation: string
  readonly mutant: string
  readonly because: string
}

const EQUIVALENT: readonly Equivalent[] = [
  {
    operation: 'uploadContent',
    mutant: 'another user’s data',
    because: 'the same bytes under another id: whose upload it was is told to nobody',
  },
  {
    operation: 'peekEvents',
    mutant: 'another user’s data',
    because: 'what everybody may look into is the same for everybody',
  },
  {
    operation: 'pingAppservice',
    mutant: 'an earlier user’s answer',
    because: 'it says how long the application service took, which may be any number',
  },
  {
    operation: 'getServerKey',
    mutant: 'an earlier user’s answer',
    because: 'what the server said of its keys stays good until the time that stands in it',
  },
]

/** Whether the mutant is known to be no different from a sound server, as far as anybody can see. */
export const isEquivalent = (operation: string, mutant: string): boolean =>
  EQUIVALENT.some((one) => one.operation === operation && one.mutant === mutant)
