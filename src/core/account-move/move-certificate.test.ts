import { describe, expect, it } from '@jest/globals'
import { createSigner, generateSigningKey, verifySignatureBy } from '../../platform/ed25519.js'
import { systemRandom } from '../../platform/random.js'
import type { Signer } from '../event/sign.js'
import type { JsonObject } from '../json/value.js'
import {
  certificateOf,
  MAX_MOVE_MS,
  provenMove,
  readCertificate,
  signCertificate,
  type AccountMove,
  type CertificateKey,
} from './move-certificate.js'

const SOURCE = 'finances.example'
const TARGET = 'interieur.example'
const move: AccountMove = {
  oldUser: `@ana:${SOURCE}`,
  newUser: `@ana.dupont:${TARGET}`,
  source: SOURCE,
  target: TARGET,
  nonce: 'n'.repeat(43),
  issuedAt: 1_000_000,
  notAfter: 2_000_000,
}

function server(serverName: string): Signer & { readonly publicKey: string } {
  const { keyId, publicKey, sign } = createSigner(generateSigningKey(systemRandom, 'k'))
  return { serverName, keyId, publicKey, sign }
}
const source = server(SOURCE)
const target = server(TARGET)
const stranger = server('rogue.example')

const checksWith = (key: Partial<CertificateKey> = {}) => ({
  keysOf: (name: string) => {
    const signer = [source, target, stranger].find(({ serverName }) => serverName === name)
    return signer === undefined
      ? undefined
      : new Map([
          [signer.keyId, { base64: signer.publicKey, validFrom: undefined, validUntil: undefined, ...key }],
        ])
  },
  verify: verifySignatureBy,
})
const signed = (certificate: JsonObject, ...signers: Signer[]): JsonObject =>
  signers.reduce(signCertificate, certificate)
const proven = (certificate: JsonObject, key?: Partial<CertificateKey>): AccountMove | undefined =>
  provenMove(certificate, checksWith(key))

describe('the certificate of a move', () => {
  it('proves the move when both servers have signed it', () => {
    expect(proven(signed(certificateOf(move), source, target))).toEqual(move)
  })

  it('proves nothing with one signature, nor with that of somebody else', () => {
    for (const signers of [[], [source], [target], [source, stranger], [stranger]])
      expect(proven(signed(certificateOf(move), ...signers))).toBeUndefined()
    // A key of one server under the name of the other.
    const posing = { ...source, serverName: TARGET }
    expect(proven(signed(certificateOf(move), source, posing))).toBeUndefined()
  })

  it('proves nothing once anything in it is changed', () => {
    const good = signed(certificateOf(move), source, target)
    const other = server(TARGET)
    expect(other.publicKey).not.toBe(target.publicKey)
    for (const change of [
      { new_user: `@eve:${TARGET}` },
      { old_user: `@bo:${SOURCE}` },
      { nonce: 'm'.repeat(43) },
      { not_after: move.notAfter + 1 },
      { issued_at: move.issuedAt - 1 },
      { more: true },
    ])
      expect(proven({ ...good, ...change })).toBeUndefined()
  })

  it('counts by the keys that its servers had when it was issued', () => {
    const good = signed(certificateOf(move), source, target)
    expect(proven(good, { validFrom: move.issuedAt, validUntil: move.issuedAt })).toEqual(move)
    expect(proven(good, { validFrom: move.issuedAt + 1 })).toBeUndefined()
    expect(proven(good, { validUntil: move.issuedAt - 1 })).toBeUndefined()
    expect(provenMove(good, { keysOf: () => undefined, verify: () => true })).toBeUndefined()
  })

  it.each<[string, JsonObject]>([
    ['another kind of document', { type: 'org.chancery.purge.v1' }],
    ['an account of another server than the one that is left', { old_user: `@ana:rogue.example` }],
    ['an account of another server than the one that is gone to', { new_user: `@ana:rogue.example` }],
    ['no user id', { old_user: 'ana' }],
    ['a move within one server', { target: SOURCE, new_user: `@b:${SOURCE}` }],
    ['a time that runs backwards', { not_after: move.issuedAt }],
    ['a time that is too long', { not_after: move.issuedAt + MAX_MOVE_MS + 1 }],
    ['times that are no integers', { issued_at: 1.5 }],
    ['texts for times', { issued_at: '1000000' }],
    ['a short nonce', { nonce: 'n' }],
    ['no nonce', { nonce: null }],
    ['a nested key', { __proto__: null, nonce: { a: 1 } }],
  ])('is none with %s', (_what, change) => {
    const certificate = { ...certificateOf(move), ...change }
    expect(readCertificate(certificate)).toBeUndefined()
    if (!Object.values(certificate).some((value) => value === 1.5))
      expect(proven(signed(certificate, source, target))).toBeUndefined()
  })

  it('is an object', () => {
    for (const value of [undefined, null, 'x', 1, [], {}]) expect(readCertificate(value)).toBeUndefined()
  })
})
