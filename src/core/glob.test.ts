import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compileGlob, compileWordGlob, toPoints } from './glob.js'
import { growth } from './testing-growth.js'

/** The definition itself, by trying everything: for short inputs only. */
function matches(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return text.length === 0
  if (first === '*') {
    return matches(rest, text) || (text.length > 0 && matches(pattern, text.slice(1)))
  }
  return text.length > 0 && (first === '?' || first === text[0]) && matches(rest, text.slice(1))
}

const isWord = (char: string | undefined): boolean => char !== undefined && /[A-Za-z0-9_]/.test(char)
const isEdge = (text: readonly string[], at: number): boolean =>
  at === 0 || at === text.length || !isWord(text[at - 1]) || !isWord(text[at])

function matchesSomeWords(pattern: readonly string[], text: readonly string[]): boolean {
  for (let start = 0; start <= text.length; start++) {
    for (let end = start; end <= text.length; end++) {
      if (isEdge(text, start) && isEdge(text, end) && matches(pattern, text.slice(start, end))) return true
    }
  }
  return false
}

const characters = fc.array(fc.constantFrom('a', 'b', 'c', ' ', '-', '😀', 'é'), { maxLength: 12 })
const patterns = fc.array(fc.constantFrom('a', 'b', '*', '?', ' ', '-', '😀'), { maxLength: 7 })
/** Matches at the last moment or not at all, after many starts that look good. */
const HOSTILE = [
  '*a'.repeat(500) + '*b',
  'a'.repeat(1000) + 'b',
  '*' + 'a?'.repeat(500) + 'b',
  '?'.repeat(1024),
]

describe('compileGlob', () => {
  it('matches what the definition matches', () => {
    fc.assert(
      fc.property(patterns, characters, (pattern, text) => {
        expect(compileGlob(pattern.join(''))(text.join(''))).toBe(matches(pattern, text))
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['', '', true],
    ['*', '', true],
    ['?', '', false],
    ['?', '😀', true],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['a*a', 'a', false],
    ['*.example.org', 'www.example.org', true],
    ['*.example.org', 'example.org', false],
    [`${'?a'.repeat(40)}*`, 'xa'.repeat(41), true],
    [`*${'?b'.repeat(40)}`, 'xa'.repeat(41), false],
  ])('%j against %j: %j', (pattern, text, expected) => {
    expect(compileGlob(pattern)(text)).toBe(expected)
  })

  it('finds pieces with question marks beyond 31 characters', () => {
    const piece = `x${'?y'.repeat(60)}z`
    expect(compileGlob(`*${piece}*`)(`xxxx${'ay'.repeat(60)}z and more`)).toBe(true)
    expect(compileGlob(`*${piece}*`)(`xxxx${'ay'.repeat(59)}z and more`)).toBe(false)
  })

  it.each(HOSTILE)('takes time in proportion to the text for a hostile pattern', (pattern) => {
    const match = compileGlob(pattern)
    const [small, large] = ['a'.repeat(32_768), 'a'.repeat(131_072)]
    expect(
      growth(
        () => match(small),
        () => match(large),
      ),
    ).toBeLessThan(10)
  })
})

describe('compileWordGlob', () => {
  it('matches what the definition matches', () => {
    fc.assert(
      fc.property(patterns, characters, (pattern, text) => {
        fc.pre(pattern.length > 0)
        expect(compileWordGlob(pattern.join(''))(toPoints(text.join('')))).toBe(
          matchesSomeWords(pattern, text),
        )
      }),
      { numRuns: 3_000 },
    )
  })

  it.each([
    ['ex*ple', 'An example event.', true],
    ['ex*ple', 'exple', true],
    ['ex*ple', 'An exciting triple-whammy', true],
    ['cat', 'concatenate', false],
    ['cat', 'a cat-flap', true],
    ['cat', 'a_cat', false],
    ['cat', 'écat', true],
    ['', 'anything', false],
  ])('%j in %j: %j', (pattern, text, expected) => {
    expect(compileWordGlob(pattern)(toPoints(text))).toBe(expected)
  })

  it.each(HOSTILE)('takes time in proportion to the text for a hostile pattern', (pattern) => {
    const match = compileWordGlob(pattern)
    for (const piece of ['a ', 'aa']) {
      const [small, large] = [toPoints(piece.repeat(16_384)), toPoints(piece.repeat(65_536))]
      expect(
        growth(
          () => match(small),
          () => match(large),
        ),
      ).toBeLessThan(10)
    }
  })
})
