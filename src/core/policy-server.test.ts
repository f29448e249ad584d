import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from './json/value.js'
import { isSignedByPolicy, needsPolicySignature, POLICY_KEY_ID, policyServerIn } from './policy-server.js'
import { rulesOf, testEvent } from './testing.js'

const SERVER = { serverName: 'policy.example', publicKey: 'key' }

describe('the policy server of a room', () => {
  it('is the one that its state names, with its key', () => {
    expect(policyServerIn({ via: 'policy.example', public_keys: { ed25519: 'key' } })).toEqual(SERVER)
  })

  it.each<[string, JsonObject | undefined]>([
    ['no state', undefined],
    ['nothing', {}],
    ['no key', { via: 'policy.example' }],
    ['another kind of key', { via: 'policy.example', public_keys: { curve25519: 'key' } }],
    ['no server name', { via: 'no name', public_keys: { ed25519: 'key' } }],
  ])('is none where %s names it', (_name, content) => {
    expect(policyServerIn(content)).toBeUndefined()
  })
})

describe('an event in a room with a policy server', () => {
  const rules = rulesOf(11)
  const signed = (signatures: JsonObject) => testEvent(rules, { pdu: { signatures } })

  it('needs its signature unless it names the policy server itself', () => {
    expect(needsPolicySignature({ type: 'm.room.message', stateKey: undefined })).toBe(true)
    expect(needsPolicySignature({ type: 'm.room.policy', stateKey: '' })).toBe(false)
    expect(needsPolicySignature({ type: 'm.room.policy', stateKey: 'x' })).toBe(true)
    expect(needsPolicySignature({ type: 'm.room.policy', stateKey: undefined })).toBe(true)
  })

  it('has it where the signature of that key is good', () => {
    const asked: unknown[] = []
    const verify = (key: string, _bytes: Uint8Array, signature: string): boolean => {
      asked.push([key, signature])
      return signature === 'good'
    }
    const by = (name: string, key: string, signature: string) => signed({ [name]: { [key]: signature } })
    expect(isSignedByPolicy(by('policy.example', POLICY_KEY_ID, 'good'), SERVER, verify)).toBe(true)
    expect(isSignedByPolicy(by('policy.example', POLICY_KEY_ID, 'bad'), SERVER, verify)).toBe(false)
    expect(isSignedByPolicy(by('policy.example', 'ed25519:1', 'good'), SERVER, verify)).toBe(false)
    expect(isSignedByPolicy(by('other.example', POLICY_KEY_ID, 'good'), SERVER, verify)).toBe(false)
    expect(asked).toEqual([
      ['key', 'good'],
      ['key', 'bad'],
    ])
  })
})
