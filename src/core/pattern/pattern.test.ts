import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compilePattern } from './pattern.js'

function matches(source: string, text: string): boolean {
  const compiled = compilePattern(source)
  if (!compiled.ok) throw new Error(compiled.reason)
  return compiled.pattern.matches(text)
}

describe('a pattern', () => {
  it.each([
    ['@_irc_.*', '@_irc_bob:example.org', true],
    ['@_irc_.*', '@irc_bob:example.org', false],
    ['@_irc_.*', 'x@_irc_bob', false],
    ['.*', '', true],
    ['@irc_', '@irc_bob:example.org', true],
    ['@irc_$', '@irc_bob:example.org', false],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_12:example.org', true],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_12:examplexorg', false],
    ['^@telegram_[0-9]+:example\\.org$', '@telegram_:example.org', false],
    ['@(irc|slack)_\\w{2,3}:a$', '@slack_ab:a', true],
    ['@(irc|slack)_\\w{2,3}:a$', '@slack_abcd:a', false],
    ['@(?:irc|)x', '@x', true],
    ['@[^:]+?:h$', '@a:h', true],
    ['@[^:]+?:h$', '@:h', false],
    ['#[\\w.-]{3}:h', '#a.-:h', true],
    ['@[]a]b', '@]b', true],
    ['(?i)@BoB', '@bOb', true],
    ['@\\D\\x41{2}', '@-AA', true],
    ['a{,2}b', 'aab', true],
    ['a{,2}b', 'aaab', false],
    ['a{b', 'a{b', true],
    ['\\A@😀.\\Z', '@😀x', true],
  ])('%s on %s: %s', (source, text, expected) => {
    expect(matches(source, text)).toBe(expected)
  })

  it('is refused where it is too long', () => {
    const compiled = compilePattern('a'.repeat(1_001))
    expect(compiled.ok ? 'understood' : compiled.reason).toContain('1000 characters')
  })

  it.each([
    ['(', 'without its )'],
    [')', 'without its ('],
    ['[a', 'without its ]'],
    ['*a', 'nothing to repeat'],
    ['a**', 'repeated already'],
    ['(?=a)', 'look-around'],
    ['(?!a)', 'look-around'],
    ['(a)\\1', '\\1'],
    ['\\bword', '\\b'],
    ['a{3,1}', 'before its beginning'],
    ['a{999}', 'more than 255 times'],
    ['((a{250}){250})', 'too large'],
    ['[z-a]', 'malformed range'],
    ['a\\', 'backslash'],
    ['(((((((((((((((((((((((((((((((((a', 'nested'],
  ])('%s is refused with a reason', (source, reason) => {
    const compiled = compilePattern(source)
    expect(compiled.ok ? 'understood' : compiled.reason).toContain(reason)
  })

  it('takes no longer for what makes other engines run for ever', () => {
    expect(matches('(a+)+$', `${'a'.repeat(250)}!`)).toBe(false)
    expect(matches('(a|a)*b', 'a'.repeat(255))).toBe(false)
    expect(matches('(.*.*.*.*)*x$', 'a'.repeat(255))).toBe(false)
  })

  it('agrees with the engine of the language on expressions that both understand', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '(a|b)', '(?:ab|b)', '(a)')
    const piece = fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{2}', '{1,2}', '*?', '{0,}'))
    const source = fc
      .array(
        fc.array(piece, { maxLength: 4 }).map((list) => list.map((part) => part.join('')).join('')),
        { minLength: 1, maxLength: 3 },
      )
      .map((branches) => branches.join('|'))
    fc.assert(
      fc.property(source, fc.boolean(), fc.stringMatching(/^[abc]{0,6}$/), (body, ends, text) => {
        const expression = ends ? `(?:${body})$` : body
        expect(matches(expression, text)).toBe(new RegExp(`^(?:${expression})`).test(text))
      }),
      { numRuns: 500 },
    )
  })
})
