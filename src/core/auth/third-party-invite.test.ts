import { createPublicKey, verify as verifyEd25519 } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import nacl from 'tweetnacl'
import { canonicalJson } from '../json/canonical.js'
import type { Json, JsonObject } from '../json/value.js'
import type { RoomEvent } from '../event/types.js'
import { ALL_VERSIONS, create, CREATOR, joinRules, member, rulesOf, stateOf, testEvent } from '../testing.js'
import { checkAuth } from './check.js'

const TARGET = '@target:b.example'
const keys = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(7))
const otherKeys = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(8))
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const verify = (key: string, message: Uint8Array, signature: string): boolean => {
  const [k, s] = [Buffer.from(key, 'base64'), Buffer.from(signature, 'base64')]
  if (k.length !== 32 || s.length !== 64) return false
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: k.toString('base64url') }
  return verifyEd25519(null, message, createPublicKey({ key: jwk, format: 'jwk' }), s)
}
const sign = (body: JsonObject, secret = keys.secretKey): string =>
  base64(nacl.sign.detached(Uint8Array.from(Buffer.from(canonicalJson(body))), secret))

const body = { mxid: TARGET, token: 'token', sender: CREATOR }
const signed = { ...body, signatures: { 'id.example': { 'ed25519:0': sign(body) } } }

interface Case {
  readonly invite?: Json
  readonly offer?: JsonObject | undefined
  readonly offerer?: string
  readonly target?: readonly RoomEvent[]
  readonly sender?: string
  readonly verify?: typeof verify
}

function judge(rules = rulesOf(11), given: Case = {}): string {
  const offer = 'offer' in given ? given.offer : { public_key: base64(keys.publicKey) }
  const state = [
    create(rules),
    joinRules(rules, 'invite'),
    member(rules, CREATOR, 'join'),
    ...(given.target ?? []),
    ...(offer === undefined
      ? []
      : [
          testEvent(rules, {
            type: 'm.room.third_party_invite',
            stateKey: 'token',
            sender: given.offerer ?? CREATOR,
            content: offer,
          }),
        ]),
  ]
  const event = testEvent(rules, {
    type: 'm.room.member',
    sender: given.sender ?? CREATOR,
    stateKey: TARGET,
    content: {
      membership: 'invite',
      third_party_invite: 'invite' in given ? given.invite! : { display_name: 'x', signed },
    },
  })
  const verdict = checkAuth(event, stateOf(state), given.verify ?? verify)
  return verdict.ok ? 'ok' : verdict.rule
}

describe.each(ALL_VERSIONS)('an invite by third-party identifier in version $id', (rules) => {
  it('is allowed with a signature by the key in public_key', () => {
    expect(judge(rules)).toBe('ok')
  })
  it('is allowed with a signature by one of public_keys', () => {
    const offer = {
      public_key: base64(otherKeys.publicKey),
      public_keys: [{ public_key: 1 }, 'x', { public_key: base64(keys.publicKey) }],
    }
    expect(judge(rules, { offer })).toBe('ok')
  })
  it('may be for somebody who left or is in the room, but not for the banned', () => {
    expect(judge(rules, { target: [member(rules, TARGET, 'leave')] })).toBe('ok')
    expect(judge(rules, { target: [member(rules, TARGET, 'join')] })).toBe('ok')
    expect(judge(rules, { target: [member(rules, TARGET, 'ban')] })).toBe('member.invite.3pid.banned')
  })
})

describe('an invite by third-party identifier', () => {
  it.each<[string, Case, string]>([
    ['without an object', { invite: 'x' }, 'signed'],
    ['with null', { invite: null }, 'signed'],
    ['with nothing signed', { invite: {} }, 'signed'],
    ['with signed text', { invite: { signed: 'x' } }, 'signed'],
    ['without a token', { invite: { signed: { mxid: TARGET, signatures: {} } } }, 'fields'],
    ['with a token that is no text', { invite: { signed: { ...signed, token: 1 } } }, 'fields'],
    ['without an mxid', { invite: { signed: { token: 'token', signatures: {} } } }, 'fields'],
    ['for another user', { invite: { signed: { ...signed, mxid: '@other:b.example' } } }, 'mxid'],
    ['with an unknown token', { invite: { signed: { ...signed, token: 'other' } } }, 'token'],
    ['where nobody offered one', { offer: undefined }, 'token'],
    ['by somebody who did not offer it', { offerer: '@other:a.example' }, 'sender'],
    ['without signatures', { invite: { signed: body } }, 'signature'],
    ['with signatures of a wrong form', { invite: { signed: { ...body, signatures: [] } } }, 'signature'],
    [
      'with signatures of a server of a wrong form',
      { invite: { signed: { ...body, signatures: { x: 'y' } } } },
      'signature',
    ],
    [
      'with nothing where the signatures of a server should be',
      { invite: { signed: { ...body, signatures: { x: null } } } },
      'signature',
    ],
    [
      'with a signature that is no text',
      { invite: { signed: { ...body, signatures: { x: { 'ed25519:0': 1 } } } } },
      'signature',
    ],
    [
      'with a forged signature',
      {
        invite: { signed: { ...body, signatures: { x: { 'ed25519:0': sign(body, otherKeys.secretKey) } } } },
      },
      'signature',
    ],
    [
      'with another algorithm',
      { invite: { signed: { ...body, signatures: { x: { 'rsa:0': sign(body) } } } } },
      'signature',
    ],
    ['changed after it was signed', { invite: { signed: { ...signed, extra: 1 } } }, 'signature'],
    ['whose key was revoked', { offer: {} }, 'signature'],
    ['whose keys are of a wrong form', { offer: { public_key: 1, public_keys: 'x' } }, 'signature'],
    ['with a float in what was signed', { invite: { signed: { ...signed, n: 0.5 } } }, 'signature'],
  ])('%s is refused', (_name, given, rule) => {
    expect(judge(rulesOf(11), given)).toBe(`member.invite.3pid.${rule}`)
  })

  it('is allowed when any of several signatures is right', () => {
    const signatures = {
      a: { 'ed25519:0': 'x' },
      b: 'junk',
      c: { 'ed25519:1': sign(body, otherKeys.secretKey), 'ed25519:2': sign(body) },
    }
    expect(judge(rulesOf(11), { invite: { signed: { ...body, signatures, unsigned: { z: 1 } } } })).toBe('ok')
  })

  it('tries 64 pairs of key and signature, and no more', () => {
    let trials = 0
    const counting = (key: string, message: Uint8Array, signature: string): boolean => {
      trials++
      return verify(key, message, signature)
    }
    const wrong = (count: number): JsonObject =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`ed25519:${n}`, 'x']))
    const at = (count: number): string =>
      judge(rulesOf(11), {
        verify: counting,
        invite: { signed: { ...body, signatures: { a: { ...wrong(count), 'ed25519:last': sign(body) } } } },
      })
    expect(at(63)).toBe('ok')
    expect(trials).toBe(64)
    trials = 0
    expect(at(64)).toBe('member.invite.3pid.signature')
    expect(trials).toBe(64)
  })
})
