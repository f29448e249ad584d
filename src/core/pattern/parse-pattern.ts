/** Code points from the first to the last, both counted. */
export type Range = readonly [number, number]

export type PatternNode =
  | { readonly kind: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: 'start' | 'end' }
  | { readonly kind: 'concat' | 'either'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly min: number; readonly max: number }

/** What the text is not, or asks for, told to whoever wrote it. */
export class PatternError extends Error {}

const MAX_LENGTH = 1_000
const MAX_DEPTH = 30
const MAX_REPEAT = 255

const DIGIT: readonly Range[] = [[48, 57]]
const WORD: readonly Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
]
const SPACE: readonly Range[] = [
  [9, 13],
  [32, 32],
]
const CLASSES: ReadonlyMap<string, readonly Range[]> = new Map([
  ['d', DIGIT],
  ['w', WORD],
  ['s', SPACE],
])
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['t', 9],
  ['n', 10],
  ['r', 13],
  ['f', 12],
  ['v', 11],
])

const only = (text: string): readonly Range[] => [[text.codePointAt(0)!, text.codePointAt(0)!]]

/** All that is not in the ranges. */
function inverted(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0])
  const out: Range[] = []
  let next = 0
  for (const [low, high] of sorted) {
    if (low > next) out.push([next, low - 1])
    next = Math.max(next, high + 1)
  }
  if (next <= 0x10_ff_ff) out.push([next, 0x10_ff_ff])
  return out
}

/**
 * Reads a regular expression as Python, RE2 and ECMAScript write them, as far as a finite automaton can follow: no back-references,
 * no look-around, no word boundaries. Throws PatternError.
 */
export function parsePattern(source: string): { readonly node: PatternNode; readonly ignoreCase: boolean } {
  const text = Array.from(source)
  if (text.length > MAX_LENGTH) throw new PatternError(`has more than ${MAX_LENGTH} characters`)
  let at = 0
  let depth = 0
  const ignoreCase = source.startsWith('(?i)')
  if (ignoreCase) at = 4

  const peek = (): string | undefined => text[at]
  const takes = (char: string): boolean => {
    if (text[at] !== char) return false
    at++
    return true
  }

  function either(): PatternNode {
    const parts = [concat()]
    while (takes('|')) parts.push(concat())
    return parts.length === 1 ? parts[0]! : { kind: 'either', parts }
  }

  function concat(): PatternNode {
    const parts: PatternNode[] = []
    for (let char = peek(); char !== undefined && char !== '|' && char !== ')'; char = peek())
      parts.push(repeated())
    return { kind: 'concat', parts }
  }

  function repeated(): PatternNode {
    let part = atom()
    for (;;) {
      const bounds = quantifier()
      if (bounds === undefined) return part
      if (part.kind === 'start' || part.kind === 'end') throw new PatternError('repeats an anchor')
      if (part.kind === 'repeat') throw new PatternError('repeats what is repeated already')
      // How much a repetition takes first makes no difference to whether the whole matches.
      takes('?')
      part = { kind: 'repeat', part, ...bounds }
    }
  }

  function quantifier(): { readonly min: number; readonly max: number } | undefined {
    if (takes('*')) return { min: 0, max: Infinity }
    if (takes('+')) return { min: 1, max: Infinity }
    if (takes('?')) return { min: 0, max: 1 }
    if (peek() !== '{') return undefined
    const found = /^\{(\d{0,4})(,?)(\d{0,4})\}/.exec(text.slice(at, at + 12).join(''))
    // A brace that begins no repetition stands for itself.
    if (found === null || (found[1] === '' && found[3] === '')) return undefined
    at += found[0].length
    const min = found[1] === '' ? 0 : Number(found[1])
    const max = found[2] === '' ? min : found[3] === '' ? Infinity : Number(found[3])
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT))
      throw new PatternError(`repeats something more than ${MAX_REPEAT} times`)
    if (max < min) throw new PatternError('has a repetition whose end lies before its beginning')
    return { min, max }
  }

  function atom(): PatternNode {
    const char = text[at++]!
    if (char === '(') return group()
    if (char === '[') return set()
    if (char === '.') return { kind: 'set', ranges: only('\n'), negated: true }
    if (char === '^') return { kind: 'start' }
    if (char === '$') return { kind: 'end' }
    if (char === '\\') return escaped()
    if (char === '*' || char === '+' || char === '?')
      throw new PatternError(`has a ${char} with nothing to repeat`)
    return { kind: 'set', ranges: only(char), negated: false }
  }

  function group(): PatternNode {
    if (++depth > MAX_DEPTH) throw new PatternError(`has groups nested more than ${MAX_DEPTH} deep`)
    if (takes('?')) {
      const rest = text.slice(at, at + 40).join('')
      const opening = /^(?::|P?<[A-Za-z_][A-Za-z0-9_]{0,30}>)/.exec(rest)
      if (opening === null)
        throw new PatternError('uses look-around or flags, which are not understood here: only (…) and (?:…)')
      at += opening[0].length
    }
    const inner = either()
    if (!takes(')')) throw new PatternError('has a ( without its )')
    depth--
    return inner
  }

  /** After the backslash. */
  function escaped(): PatternNode {
    const char = text[at++]
    if (char === undefined) throw new PatternError('ends in a backslash')
    if (char === 'A') return { kind: 'start' }
    if (char === 'Z' || char === 'z') return { kind: 'end' }
    return { kind: 'set', ranges: escapedRanges(char), negated: false }
  }

  function escapedRanges(char: string): readonly Range[] {
    const known = CLASSES.get(char)
    if (known !== undefined) return known
    const opposite = CLASSES.get(char.toLowerCase())
    if (opposite !== undefined) return inverted(opposite)
    const control = CONTROLS.get(char)
    if (control !== undefined) return [[control, control]]
    if (char === 'x' || char === 'u') return codePoint(char === 'x' ? 2 : 4)
    if (/[A-Za-z0-9]/.test(char)) throw new PatternError(`uses \\${char}, which is not understood here`)
    return only(char)
  }

  function codePoint(digits: number): readonly Range[] {
    const hex = text.slice(at, at + digits).join('')
    if (hex.length !== digits || !/^[0-9A-Fa-f]+$/.test(hex))
      throw new PatternError('has a malformed \\x or \\u')
    at += digits
    const value = Number.parseInt(hex, 16)
    return [[value, value]]
  }

  /** After the opening bracket. */
  function set(): PatternNode {
    const negated = takes('^')
    const ranges: Range[] = []
    for (let first = true; ; first = false) {
      const char = text[at++]
      if (char === undefined) throw new PatternError('has a [ without its ]')
      if (char === ']' && !first) return { kind: 'set', ranges, negated }
      const low = char === '\\' ? escapedRanges(text[at++] ?? '\\') : only(char)
      if (peek() !== '-' || text[at + 1] === ']' || text[at + 1] === undefined) {
        ranges.push(...low)
        continue
      }
      at++
      const end = text[at++]!
      const high = end === '\\' ? escapedRanges(text[at++] ?? '\\') : only(end)
      const from = low[0]![0]
      const to = high[0]![0]
      const isPlain = [low, high].every((one) => one.length === 1 && one[0]![0] === one[0]![1])
      if (!isPlain || from > to) throw new PatternError('has a malformed range in [ ]')
      ranges.push([from, to])
    }
  }

  const node = either()
  if (at < text.length) throw new PatternError('has a ) without its (')
  return { node, ignoreCase }
}
