/**
 * Compares two strings by Unicode code point, as canonical JSON sorts keys. It differs from JavaScript's own order,
 * by UTF-16 unit, where a surrogate pair meets U+E000–U+FFFF.
 */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Surrogates stand for code points above all of the basic plane. */
const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)

/** Sorts in place, by code point. Comparing is only needed where a key has units from U+D800 upwards. */
export function sortByCodePoint(keys: string[]): string[] {
  return keys.some(hasHighUnits) ? keys.sort(compareCodePoints) : keys.sort()
}

const HIGH_UNITS = /[\ud800-\uffff]/
const hasHighUnits = (key: string): boolean => HIGH_UNITS.test(key)
