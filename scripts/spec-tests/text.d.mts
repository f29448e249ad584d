import type { Results } from './results.mjs'
export function text(
  results: Results,
  missing: readonly object[] | undefined,
  found?: {
    readonly waited?: { readonly seconds: number; readonly most: readonly (readonly [string, number])[] }
    readonly without?: readonly string[]
  },
): string
