import { describe, expect, it } from '@jest/globals'
import { canonicalEmail, emailDomain } from './email-address.js'

describe('an e-mail address', () => {
  it.each([
    ['anne.dupont@finances.example', 'anne.dupont@finances.example'],
    ['Anne.Dupont@Finances.EXAMPLE', 'anne.dupont@finances.example'],
    ["o'neil+matrix@a-b.example", "o'neil+matrix@a-b.example"],
    [`${'a'.repeat(64)}@b.example`, `${'a'.repeat(64)}@b.example`],
  ])('%s is written %s', (given, canonical) => {
    expect(canonicalEmail(given)).toBe(canonical)
  })

  it.each([
    '',
    'anne',
    '@b.example',
    'anne@',
    'anne@localhost',
    'anne@b.example@evil.example',
    'anne@gov.example,anne@evil.example',
    '"anne@gov.example"@evil.example',
    '"anne"@b.example',
    'Anne <anne@b.example>',
    'anne(x)@b.example',
    'anne@[192.0.2.1]',
    'anne@192.0.2.1',
    'anne@b..example',
    'anne@-b.example',
    '.anne@b.example',
    'anne.@b.example',
    'an..ne@b.example',
    'anne @b.example',
    'anne@b.example\n',
    'anne\r\nBcc: all@b.example',
    'änne@b.example',
    'anne@bücher.example',
    'anne@b.example\0',
    `${'a'.repeat(65)}@b.example`,
    `a@${'b'.repeat(250)}.example`,
  ])('is not %j', (given) => {
    expect(canonicalEmail(given)).toBeUndefined()
  })

  it('ends in its domain', () => {
    expect(emailDomain('anne@finances.example')).toBe('finances.example')
  })
})
