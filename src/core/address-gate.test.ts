import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { judgeAddress } from './address-gate.js'
import { emailRouting } from './node-list/route-email.js'

const OURS = 'agent.finances.example'
const none = { domains: [], patterns: [], fallback: false }
const routing = emailRouting([
  {
    serverName: OURS,
    leftAt: undefined,
    email: { ...none, domains: ['finances.example'], patterns: ['*@*.finances.example'] },
  },
  { serverName: 'agent.interieur.example', leftAt: undefined, email: { ...none, domains: ['gov.example'] } },
])
const judge = (address: string, allowTags = false): string | undefined =>
  judgeAddress(address, {
    serverName: OURS,
    allowTags,
    homeOf: (found) => routing.memberOf(found, 0),
  })?.reason

describe('an account of this server', () => {
  it.each(['anne@finances.example', 'ANNE@Finances.Example', 'anne@tax.finances.example'])(
    'may have %s',
    (address) => {
      expect(judge(address)).toBeUndefined()
    },
  )

  it.each([
    ['anne@gov.example', 'address.elsewhere'],
    ['anne@home.example', 'address.nobody'],
    ['anne@finances.example.evil.example', 'address.nobody'],
    ['anne@notfinances.example', 'address.nobody'],
    ['anne@finances.example@evil.example', 'address.form'],
    ['anne@evil.example@finances.example', 'address.form'],
    ['"anne@evil.example"@finances.example', 'address.form'],
    ['anne@finances.example,x@evil.example', 'address.form'],
    ['<anne@finances.example>', 'address.form'],
    ['anne(@evil.example)@finances.example', 'address.form'],
    ['anne@finances.example.', 'address.form'],
    ['anne@finances。example', 'address.form'],
    ['anne@fınances.example', 'address.form'],
    ['anne@ﬁnances.example', 'address.form'],
    ['anne@finances.example\u200b', 'address.form'],
    ['anne@\u202efinances.example', 'address.form'],
    ['anne@xn--fnances-n4a.example', 'address.nobody'],
    ['anne+x@finances.example', 'address.tag'],
  ])('may not have %s: %s', (address, reason) => {
    expect(judge(address)).toBe(reason)
  })

  it('may have an address with a tag where that is allowed', () => {
    expect(judge('anne+x@finances.example', true)).toBeUndefined()
  })

  it('is told where the address belongs', () => {
    expect(
      judgeAddress('anne@gov.example', {
        serverName: OURS,
        allowTags: false,
        homeOf: (found) => routing.memberOf(found, 0),
      }),
    ).toMatchObject({ home: 'agent.interieur.example' })
  })

  it('never has an address whose last domain is not one of ours, whatever stands before it', () => {
    const part = fc.string({ unit: 'binary', maxLength: 40 })
    fc.assert(
      fc.property(
        part,
        fc.constantFrom('', '@', '.', ',', ';', ' ', '\0', '\r\n', '<', '"'),
        (text, join) => {
          expect(judge(`${text}@finances.example${join}x@evil.example`)).toBeDefined()
          expect(judge(`${text}@finances.example${join}.evil.example`)).toBeDefined()
        },
      ),
    )
  })

  it('has an address in one spelling, and that is an address', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (local) => {
        const address = `${local}@finances.example`
        if (judge(address, true) !== undefined) return
        expect(address).toMatch(/^[!-?A-~]+@finances\.example$/i)
        expect(address.match(/@/g)).toHaveLength(1)
      }),
    )
  })
})
