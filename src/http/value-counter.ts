const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const BRACKET = 0x5b
const BRACE = 0x7b
const BRACKET_END = 0x5d
const BRACE_END = 0x7d
/** As deep as the reader goes: what follows is not read, and need not be counted. */
const MAX_DEPTH = 200

/**
 * Counts the values of JSON as its bytes arrive: members, elements, objects and arrays, to within one for each object and array. What
 * reading a body costs grows with them far more than with its bytes. Knows tokens, not grammar: whether it is JSON at all
 * is seen later. UTF-8 needs no care: the bytes looked for occur in no longer character.
 */
export interface ValueCounter {
  /** The next bytes; gives the count so far. */
  add(bytes: Uint8Array): number
}

export function createValueCounter(): ValueCounter {
  let values = 0
  let depth = 0
  let inString = false
  let escaped = false
  return {
    add(bytes) {
      for (let i = 0; i < bytes.length && depth <= MAX_DEPTH; i++) {
        const c = bytes[i]!
        if (inString) {
          if (escaped) escaped = false
          else if (c === BACKSLASH) escaped = true
          else if (c === QUOTE) inString = false
        } else if (c === QUOTE) inString = true
        else if (c === COMMA) values++
        else if (c === BRACKET || c === BRACE) {
          values++
          depth++
        } else if (c === BRACKET_END || c === BRACE_END) depth--
      }
      return values
    },
  }
}
