/**
 * A single pass over JSON text that decides whether the built-in `JSON.parse` may be trusted with it, that is, whether
 * its answer would lose nothing: every number a safe integer, no lone surrogates, no nesting beyond the limit.
 * Duplicate keys are found by comparing `members` with the keys that the parsed value really has.
 *
 * The scan knows tokens, not grammar: text that is not JSON is left for `JSON.parse` to refuse.
 */
export interface Scan {
  readonly safe: boolean
  /** How many object members the text has, duplicates included. */
  readonly members: number
}

const UNSAFE: Scan = { safe: false, members: 0 }

export function scanJson(text: string, maxDepth: number): Scan {
  const length = text.length
  let depth = 0
  let members = 0
  let at = 0
  while (at < length) {
    const c = text.charCodeAt(at)
    if (c === 0x22) {
      at = endOfString(text, at + 1)
      if (at < 0) return UNSAFE
    } else if (c === 0x3a) {
      members++
      at++
    } else if (c === 0x7b || c === 0x5b) {
      if (++depth > maxDepth) return UNSAFE
      at++
    } else if (c === 0x7d || c === 0x5d) {
      depth--
      at++
    } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      at = endOfSmallInteger(text, at)
      if (at < 0) return UNSAFE
    } else {
      at++
    }
  }
  return { safe: true, members }
}

/** The index after the closing quote, or −1 when the string is unfinished or holds a lone surrogate. */
function endOfString(text: string, start: number): number {
  const length = text.length
  let highPending = false
  let at = start
  while (at < length) {
    let c = text.charCodeAt(at++)
    if (c === 0x22) return highPending ? -1 : at
    if (c === 0x5c) {
      c = text.charCodeAt(at++)
      if (c === 0x75) {
        c = Number.parseInt(text.slice(at, at + 4), 16)
        at += 4
      } else {
        c = 0
      }
    }
    if (highPending !== (c >= 0xdc00 && c <= 0xdfff)) return -1
    highPending = c >= 0xd800 && c <= 0xdbff
  }
  return -1
}

/**
 * The index after an integer of at most 15 digits, or −1 for any other number. Sixteen digits may be safe too, but the
 * careful reader can decide that; `-0` must reach it, because `JSON.parse` would give a zero that prints as 0.
 */
function endOfSmallInteger(text: string, start: number): number {
  let at = start
  if (text.charCodeAt(at) === 0x2d) {
    at++
    if (text.charCodeAt(at) === 0x30) return -1
  }
  const digits = at
  let c = text.charCodeAt(at)
  while (c >= 0x30 && c <= 0x39) c = text.charCodeAt(++at)
  if (at - digits > 15 || c === 0x2e || c === 0x65 || c === 0x45) return -1
  return at
}

/** How many object members a parsed value has, at all levels. Iterative: the value may be as deep as the scan allows. */
export function countMembers(value: unknown): number {
  const stack: unknown[] = [value]
  let members = 0
  while (stack.length > 0) {
    const next = stack.pop()
    if (Array.isArray(next)) {
      for (const item of next) if (typeof item === 'object' && item !== null) stack.push(item)
    } else if (typeof next === 'object' && next !== null) {
      // Object.values, not for-in: nothing inherited counts, and `__proto__` as own key does.
      for (const item of Object.values(next)) {
        members++
        if (typeof item === 'object' && item !== null) stack.push(item)
      }
    }
  }
  return members
}
