/** An object for keys that strangers name: `__proto__` is a key like any other. */
export const record = <T>(): Record<string, T> => Object.create(null) as Record<string, T>

/** Cuts a list into parts, so that no database transaction grows with the request. */
export function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

export type Checked<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string }

export const fault = (reason: string): { readonly ok: false; readonly reason: string } => ({
  ok: false,
  reason,
})
