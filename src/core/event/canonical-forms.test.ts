import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson } from '../json/canonical.js'
import type { Json } from '../json/value.js'
import { roomVersion, ROOM_VERSIONS } from '../room-version/versions.js'
import { canonicalForms } from './canonical-forms.js'
import { canonicalMode, claimsHashOf, contentHash, referenceHash, referenceHashOf } from './hash.js'
import { eventSigningInput } from './sign.js'
import type { Pdu } from './types.js'

const TYPES = ['m.room.member', 'm.room.create', 'm.room.power_levels', 'm.room.redaction', 'm.room.aliases', 'x'] // prettier-ignore
const content = fc.dictionary(
  fc.constantFrom('membership', 'users', 'redacts', 'creator', 'x', '__proto__', '\u{1f600}', '\ufb01'),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
)
const extra = fc.dictionary(fc.constantFrom('unsigned', 'origin', 'prev_state', '\u{1f600}"', 'z'), content)

describe('the canonical forms of an event', () => {
  it.each([...ROOM_VERSIONS.keys()])(
    'are those that size, hashes and signatures are made of, in room version %s',
    (version) => {
      const rules = roomVersion(version)!
      fc.assert(
        fc.property(fc.constantFrom(...TYPES), content, extra, (type, own, more) => {
          const numbers = JSON.parse(JSON.stringify({ own, more }), (_key, value: Json) =>
            typeof value === 'number' ? Math.trunc(value % 1e6) + 0 : value,
          ) as { own: Record<string, Json>; more: Record<string, Json> }
          const pdu = {
            ...numbers.more,
            type,
            sender: '@a:b',
            content: numbers.own,
            depth: 1,
            origin_server_ts: 2,
            hashes: { sha256: 'x' },
            signatures: { b: { 'ed25519:1': 'y' } },
          } as unknown as Pdu
          const forms = canonicalForms(pdu, rules)
          expect(forms.whole).toBe(canonicalJson(pdu, canonicalMode(rules)))
          expect(forms.signed).toBe(new TextDecoder().decode(eventSigningInput(pdu, rules)))
          expect(referenceHashOf(forms.signed, rules)).toBe(referenceHash(pdu, rules))
          const hashed = { ...pdu, hashes: { sha256: contentHash(pdu, rules) } } as unknown as Pdu
          expect(claimsHashOf(hashed, forms.hashed)).toBe(true)
          expect(claimsHashOf(pdu, forms.hashed)).toBe(false)
        }),
        { numRuns: 100 },
      )
    },
  )
})
