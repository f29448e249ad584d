import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../json/value.js'
import { emailRouting } from './route-email.js'
import { authorityJson, ISSUED, listJson, listSigner, memberJson, parsed } from './testing.js'

const authorities = [authorityJson(1, 1, [listSigner('anssi')])]
const NOW = ISSUED

function routing(emails: Readonly<Record<string, JsonObject>>, left: readonly string[] = []) {
  const members = Object.entries(emails).map(([name, email]) =>
    memberJson(name, { email, ...(left.includes(name) ? { left_at: NOW } : {}) }),
  )
  const { memberOf } = emailRouting(parsed(listJson({ authorities, members })).members)
  return (address: string): string | undefined => memberOf(address, NOW)?.serverName
}

describe('the member of an e-mail address', () => {
  const to = routing({
    'finances.example': { domains: ['finances.example'], patterns: ['*@*.finances.example'] },
    'douane.example': { patterns: ['*@*.douane.finances.example', 'x-*@*.finances.example'] },
    'externes.example': { patterns: ['*.ext@finances.example'], fallback: true },
  })

  it.each([
    ['an exact domain', 'jeanne@finances.example', 'finances.example'],
    ['whatever the case', 'Jeanne@Finances.EXAMPLE', 'finances.example'],
    ['with a part of the address behind a plus', 'jeanne+x@finances.example', 'finances.example'],
    [
      'a local part that a pattern names, before the domain',
      'jeanne.ext@finances.example',
      'externes.example',
    ],
    ['a domain below', 'a@dgfip.finances.example', 'finances.example'],
    ['a domain far below', 'a@b.c.dgfip.finances.example', 'finances.example'],
    ['the longer one of two domains above', 'a@paris.douane.finances.example', 'douane.example'],
    ['the same domain, which is not below itself', 'a@douane.finances.example', 'finances.example'],
    ['a local part that a pattern names, before any', 'x-7@dgfip.finances.example', 'douane.example'],
    ['a domain that only ends alike', 'a@evilfinances.example', 'externes.example'],
    ['nobody', 'a@gmail.example', 'externes.example'],
  ])('is found by %s', (_what, address, member) => {
    expect(to(address)).toBe(member)
  })

  it.each([
    'jeanne@finances.example@evil.example',
    '"jeanne@finances.example"@evil.example',
    'jeanne@evil.example,jeanne@finances.example',
    'Jeanne <jeanne@finances.example>',
    'jeanne@[10.0.0.1]',
    'jeanne@finances.example.',
    'jeanne@.finances.example',
    'jeanne@finаnces.example',
    'jeanne(@evil.example)@finances.example',
    ' jeanne@finances.example',
    'jeanne@finances.example\n',
    'jeanne\u0000@finances.example',
    '@finances.example',
    'finances.example',
    '',
    `${'a'.repeat(300)}@finances.example`,
  ])('is none for what is no address: %j', (address) => {
    expect(to(address)).toBeUndefined()
  })

  it('is none where nobody takes what is left', () => {
    expect(routing({ 'a.example': { domains: ['a.example'] } })('x@b.example')).toBeUndefined()
  })

  it('is not one who has left: another one with the domain, or nobody', () => {
    const email = { domains: ['a.example'] }
    expect(routing({ 'old.example': email }, ['old.example'])('x@a.example')).toBeUndefined()
    expect(routing({ 'old.example': email, 'new.example': email }, ['old.example'])('x@a.example')).toBe(
      'new.example',
    )
  })

  it('is the first in the list where two patterns fit as well', () => {
    const two = { 'b.example': { patterns: ['j*@x.example'] }, 'a.example': { patterns: ['*e@x.example'] } }
    expect(routing(two)('jeanne@x.example')).toBe('b.example')
  })
})
