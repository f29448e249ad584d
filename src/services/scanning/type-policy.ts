/** Which kinds of files are given. Patterns are `image/png` or `image/*`, in lower case. */
export interface TypePolicy {
  /** Undefined: all that is not denied. */
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
}

const matches = (type: string, pattern: string): boolean =>
  pattern.endsWith('/*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern

/**
 * Whether a file may be given. What it is allowed for is its content alone; what it is denied for also what its sender calls it, since that is what
 * the programs of whoever receives it go by.
 */
export function isTypeAllowed(policy: TypePolicy, content: string, declared: string | undefined): boolean {
  const isDenied = (type: string): boolean => policy.deny.some((pattern) => matches(type, pattern))
  if (isDenied(content) || (declared !== undefined && isDenied(declared))) return false
  return policy.allow?.some((pattern) => matches(content, pattern)) ?? true
}
