import { StorageError } from './errors.js'
import type { Param, Value } from './tx.js'

/** A list parameter is one bind variable; the bound is on memory, not on a database's limit. */
export const MAX_LIST = 100_000

// ES2024, in every Node that the program runs on; the compiler's library is older.
interface WellFormed {
  isWellFormed(): boolean
}

/**
 * Throws a StorageError `value` unless both databases would store the value as it is: text without NUL (PostgreSQL has none)
 * and without lone surrogates (UTF-8 has none), integers that a JavaScript number holds exactly, bytes, null.
 */
export function checkValue(value: Value): void {
  if (typeof value === 'string') checkText(value)
  else if (typeof value === 'number') checkInteger(value)
  else if (value !== null && !(value instanceof Uint8Array)) throw wrongType(value)
}

export function checkText(text: string): void {
  if (text.includes('\0')) throw new StorageError('value', 'text with a NUL character cannot be stored')
  if (!(text as unknown as WellFormed).isWellFormed())
    throw new StorageError('value', 'text with a lone surrogate cannot be stored')
}

export function checkInteger(value: number): void {
  if (!Number.isSafeInteger(value))
    throw new StorageError('value', `${value} is not an integer that can be stored exactly`)
}

export function checkList(list: readonly string[] | readonly number[]): void {
  if (list.length > MAX_LIST)
    throw new StorageError('misuse', `a list of ${list.length} values; at most ${MAX_LIST}`)
  const kind = typeof list[0]
  for (const item of list) {
    if (typeof item !== kind) throw new StorageError('misuse', 'a list parameter mixes text and numbers')
    if (typeof item === 'string') checkText(item)
    else if (typeof item === 'number') checkInteger(item)
    else throw wrongType(item)
  }
}

export function isList(param: Param): param is readonly string[] | readonly number[] {
  return Array.isArray(param)
}

function wrongType(value: unknown): StorageError {
  return new StorageError('misuse', `a parameter of type ${typeof value} cannot be stored`)
}
