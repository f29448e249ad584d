/** One deletion; `rule` and `place` where it is that of a rule at a place. */
export interface AccessMutant {
  readonly name: string
  readonly rule?: string
  readonly place?: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly tests: readonly string[]
  readonly pattern: string
}
export function accessMutants(): AccessMutant[]
export function mutated(mutant: AccessMutant, text: string): string
