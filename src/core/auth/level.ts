import { RawNumber, type Json } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'

const DIGITS = /^[+-]?[0-9]+$/

/**
 * A power level as a number, or undefined for what is none in the room version: integers everywhere, digits in strings
 * up to version 9, floats (truncated) up to version 5. Beyond ±2^53 the nearest double stands for the level.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v1/#mroompower_levels-events-accept-values-as-strings
 */
export function readLevel(value: Json | undefined, rules: RoomVersionRules): number | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  if (rules.powerLevels === 'integers') return undefined
  if (typeof value === 'string') {
    const text = value.trim()
    return text.length <= 4300 && DIGITS.test(text) ? finite(Number(text)) : undefined
  }
  if (rules.powerLevels !== 'lenient') return undefined
  if (typeof value === 'number') return finite(value)
  return value instanceof RawNumber ? finite(Number(value.text)) : undefined
}

/** Truncated, and without a negative zero. */
const finite = (value: number): number | undefined =>
  Number.isFinite(value) ? Math.trunc(value) + 0 : undefined
