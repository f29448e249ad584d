import { describe, expect, it } from '@jest/globals'
import { aclDenies } from './server-acl.js'
import { growth } from './testing-growth.js'

describe('aclDenies', () => {
  it.each([
    ['allows what the list allows', { allow: ['*'] }, 'x.org', false],
    ['denies everybody where nothing is allowed', {}, 'x.org', true],
    [
      'denies what is denied although it is allowed',
      { allow: ['*'], deny: ['*.evil.org'] },
      'a.evil.org',
      true,
    ],
    ['does not take a subdomain for the domain', { allow: ['*'], deny: ['*.evil.org'] }, 'evil.org', false],
    ['does not look at the port', { allow: ['x.org'] }, 'x.org:8448', false],
    ['does not look at letter case', { allow: ['X.ORG'] }, 'x.Org', false],
    [
      'denies IP literals where they are not allowed',
      { allow: ['*'], allow_ip_literals: false },
      '1.2.3.4',
      true,
    ],
    ['denies IPv6 literals there too', { allow: ['*'], allow_ip_literals: false }, '[::1]:80', true],
    ['allows IP literals otherwise', { allow: ['*'], allow_ip_literals: 'no' }, '[::1]', false],
    ['matches IPv6 literals with their brackets', { allow: ['[::1]'] }, '[::1]:80', false],
    ['passes over what is no string', { allow: [1, null, 'x.org'], deny: [{}] }, 'x.org', false],
    ['takes lists that are none for empty ones', { allow: 'x.org' }, 'x.org', true],
    ['denies names that are none', { allow: ['*'] }, 'not a name', true],
  ])('%s', (_what, content, server, denied) => {
    expect(aclDenies(content as never, server)).toBe(denied)
  })

  it('takes time in proportion to the name for hostile patterns', () => {
    const deny = Array.from({ length: 500 }, (_, i) => `${'*a'.repeat(20)}b${i}`)
    const content = { allow: ['*'], deny }
    const name = (labels: number): string => `${`${'a'.repeat(28)}.`.repeat(labels)}org`
    const ratio = growth(
      () => aclDenies(content, name(2)),
      () => aclDenies(content, name(8)),
    )
    expect(ratio).toBeLessThan(10)
  })
})
