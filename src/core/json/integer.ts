import { RawNumber, type Json } from './value.js'

/** The bounds of a signed 64-bit integer, as digits to compare with. */
const INT64_DIGITS = '9223372036854775807'

/** True for an integer within ±(2^63−1): a number, or (room versions 1–5 only) the text of a bigger one. */
export function isInteger64(value: Json | undefined): value is number | RawNumber {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  if (!(value instanceof RawNumber)) return false
  const digits = value.text.startsWith('-') ? value.text.slice(1) : value.text
  return /^[0-9]{1,19}$/.test(digits) && (digits.length < INT64_DIGITS.length || digits <= INT64_DIGITS)
}

/** The nearest double. */
export const toDouble = (value: number | RawNumber): number =>
  typeof value === 'number' ? value : Number(value.text) + 0

/**
 * The nearest integer that a double holds exactly. Where things are put in order and kept, that is near enough: a database
 * and a client know no others.
 */
export const toSafeInteger = (value: number | RawNumber): number =>
  Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, toDouble(value)))

/** Compares two integers exactly, also beyond 2^53, where their doubles may be equal. */
export function compareIntegers(a: number | RawNumber, b: number | RawNumber): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const x = exact(a)
  const y = exact(b)
  return x < y ? -1 : x > y ? 1 : 0
}

const exact = (value: number | RawNumber): bigint => BigInt(typeof value === 'number' ? value : value.text)
