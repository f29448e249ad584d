import { describe, expect, it } from '@jest/globals'
import nacl from 'tweetnacl'
import type { JsonObject } from '../json/value.js'
import { roomVersion } from '../room-version/versions.js'
import { contentHash } from './hash.js'
import {
  addSignature,
  eventSigningInput,
  signEvent,
  signingInput,
  signJson,
  signaturesOf,
  type Signer,
} from './sign.js'
import type { Pdu, RoomEvent } from './types.js'

// The seed, names and expected values are those that the specification's appendix publishes.
// SPEC: https://spec.matrix.org/v1.19/appendices/#cryptographic-test-vectors
const keys = nacl.sign.keyPair.fromSeed(Buffer.from('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1', 'base64'))
const sign = (bytes: Uint8Array): string =>
  Buffer.from(nacl.sign.detached(Uint8Array.from(bytes), keys.secretKey))
    .toString('base64')
    .replace(/=+$/, '')
const signer: Signer = { serverName: 'domain', keyId: 'ed25519:1', sign }
const v1 = roomVersion('1')!

describe('the specification’s cryptographic test vectors', () => {
  it.each<[string, JsonObject, string]>([
    [
      'an empty object',
      {},
      'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ',
    ],
    [
      'an object with data',
      { one: 1, two: 'Two' },
      'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
    ],
  ])('signs %s', (_name, object, signature) => {
    expect(signJson(object, signer)).toEqual({
      ...object,
      signatures: { domain: { 'ed25519:1': signature } },
    })
  })

  const minimal = {
    room_id: '!x:domain', sender: '@a:domain', origin: 'domain', origin_server_ts: 1000000, signatures: {}, hashes: {},
    type: 'X', content: {}, prev_events: [], auth_events: [], depth: 3, unsigned: { age_ts: 1000000 },
  } // prettier-ignore
  const message = {
    content: { body: 'Here is the message content' }, event_id: '$0:domain', origin: 'domain', origin_server_ts: 1000000,
    type: 'm.room.message', room_id: '!r:domain', sender: '@u:domain', signatures: {}, unsigned: { age_ts: 1000000 },
  } // prettier-ignore

  it.each<[string, JsonObject, string, string]>([
    [
      'a minimal event',
      minimal,
      '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos',
      'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg',
    ],
    [
      'an event with redactable content',
      message,
      'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g',
      'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA',
    ],
  ])('hashes and signs %s', (_name, object, hash, signature) => {
    expect(contentHash(object, v1)).toBe(hash)
    const pdu = { ...object, hashes: { sha256: hash } } as unknown as Pdu
    expect(sign(eventSigningInput(pdu, v1))).toBe(signature)
    const signed = signEvent({ pdu, rules: v1 } as RoomEvent, signer)
    expect(signed.pdu.signatures).toEqual({ domain: { 'ed25519:1': signature } })
  })
})

describe('addSignature', () => {
  it('keeps what others signed, and leaves the original alone', () => {
    const once = addSignature({ a: 1 }, 'one', 'ed25519:a', 'x')
    const twice = addSignature(addSignature(once, 'one', 'ed25519:b', 'y'), 'two', 'ed25519:a', 'z')
    expect(twice).toEqual({
      a: 1,
      signatures: { one: { 'ed25519:a': 'x', 'ed25519:b': 'y' }, two: { 'ed25519:a': 'z' } },
    })
    expect(once).toEqual({ a: 1, signatures: { one: { 'ed25519:a': 'x' } } })
    expect(addSignature(once, 'one', 'ed25519:a', 'w')).toEqual({
      a: 1,
      signatures: { one: { 'ed25519:a': 'w' } },
    })
  })
  it('replaces junk in the place of signatures', () => {
    expect(addSignature({ signatures: 1 }, 'one', 'k', 'x')).toEqual({ signatures: { one: { k: 'x' } } })
    expect(addSignature({ signatures: { one: [] } }, 'one', 'k', 'x')).toEqual({
      signatures: { one: { k: 'x' } },
    })
  })
})

describe('signaturesOf', () => {
  it('reads the signatures of one server and no junk', () => {
    const object = { signatures: { one: { a: 'x', b: 1 }, two: 'y' } }
    expect([...signaturesOf(object, 'one')]).toEqual([['a', 'x']])
    for (const server of ['two', 'three', 'constructor', '__proto__'])
      expect(signaturesOf(object, server).size).toBe(0)
    expect(signaturesOf({ signatures: [] }, 'one').size).toBe(0)
    expect(signaturesOf({}, 'one').size).toBe(0)
  })
})

describe('signingInput', () => {
  it('leaves out signatures and unsigned, and writes UTF-8', () => {
    const bytes = signingInput({ b: 'é', signatures: { x: {} }, unsigned: { y: 1 }, a: 1 })
    expect(Buffer.from(bytes).toString('utf8')).toBe('{"a":1,"b":"é"}')
  })
  it('refuses a float unless asked to be lenient', () => {
    expect(() => signingInput({ a: 0.5 })).toThrow()
    expect(Buffer.from(signingInput({ a: 0.5 }, 'lenient')).toString()).toBe('{"a":0.5}')
  })
})
