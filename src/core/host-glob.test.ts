import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compileGlob } from './glob.js'
import { hostGlob, matchesHost } from './host-glob.js'
import { aclDenies } from './server-acl.js'

describe('globs of server names', () => {
  it('match what globs elsewhere match', () => {
    const text = (letters: readonly string[]) =>
      fc.array(fc.constantFrom(...letters), { maxLength: 12 }).map((chars) => chars.join(''))
    fc.assert(
      fc.property(text(['a', 'b', '*', '?']), text(['a', 'b']), (pattern, host) => {
        expect(matchesHost(hostGlob(pattern), host)).toBe(compileGlob(pattern)(host))
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['many asterisks and question marks', Array.from({ length: 500 }, (_, i) => '*?'.repeat(60) + i)],
    ['many pieces', Array.from({ length: 250 }, (_, i) => 'a?*'.repeat(80) + i)],
    ['pieces that almost fit', Array.from({ length: 500 }, (_, i) => `*${'a'.repeat(110)}b${i}`)],
    ['thousands of short ones', Array.from({ length: 8_000 }, (_, i) => `*?a${i}`)],
    ['one as long as an event', ['a?*'.repeat(20_000)]],
  ])('that fill an event with %s are read and asked in little time', (_what, deny) => {
    const host = `${'a'.repeat(60)}.${'a'.repeat(60)}.${'a'.repeat(60)}.example`
    let best = Infinity
    for (let i = 0; i < 5; i++) {
      // Another list each time: nothing that is kept helps.
      const content = { allow: ['*'], deny: [...deny] }
      const started = process.cpuUsage()
      expect(aclDenies(content, host)).toBe(false)
      const { user, system } = process.cpuUsage(started)
      best = Math.min(best, (user + system) / 1000)
    }
    // Compiling each took over a second; measuring coverage makes all of it some times slower.
    expect(best).toBeLessThan(400)
  })
})
