/**
 * Type and state key of a state event as one string, the key of state maps. NUL separates them: `readPdu` lets it into
 * neither.
 */
export type StateKey = string

export const stateKey = (type: string, key: string): StateKey => `${type}\u0000${key}`

export function splitStateKey(key: StateKey): { readonly type: string; readonly stateKey: string } {
  const separator = key.indexOf('\u0000')
  return { type: key.slice(0, separator), stateKey: key.slice(separator + 1) }
}
