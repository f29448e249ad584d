import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import nacl from 'tweetnacl'
import {
  createSigner, generateSigningKey, parseKeyFile, publicKey, verifySignature, verifySignatureAsync, writeKeyFile,
} from './ed25519.js' // prettier-ignore
import { systemRandom } from './random.js'
import { decodeBase64, encodeBase64 } from './unpadded-base64.js'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const key = generateSigningKey(systemRandom, 'k1')
const signer = createSigner(key)
const ours = publicKey(signer.publicKey)!

describe('Ed25519', () => {
  it('signs byte for byte as tweetnacl does, and accepts what tweetnacl signs', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 300 }),
        (seed, message) => {
          const oracle = nacl.sign.keyPair.fromSeed(Uint8Array.from(seed))
          const subject = createSigner({ version: '1', seed: Uint8Array.from(seed) })
          const expected = encodeBase64(nacl.sign.detached(Uint8Array.from(message), oracle.secretKey))
          expect(subject.publicKey).toBe(encodeBase64(oracle.publicKey))
          expect(subject.sign(message)).toBe(expected)
          expect(verifySignature(publicKey(subject.publicKey)!, message, expected)).toBe(true)
        },
      ),
      { numRuns: 20 },
    )
  })

  it("agrees with the specification's test vector", () => {
    // SPEC: https://spec.matrix.org/v1.19/appendices/#cryptographic-test-vectors
    const [parsed] = parseKeyFile('ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1')
    expect(createSigner(parsed!).sign(bytesOf('{}'))).toBe(
      'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ',
    )
  })

  it('refuses a changed message, signature or key, on either path', async () => {
    const message = bytesOf('the minister is in')
    const signature = signer.sign(message)
    const other = publicKey(createSigner(generateSigningKey(systemRandom)).publicKey)!
    const flipped = decodeBase64(signature)!
    flipped[5]! ^= 1
    const cases = [
      [ours, bytesOf('the minister is out'), signature],
      [ours, message, encodeBase64(flipped)],
      [other, message, signature],
      [ours, message, ''],
      [ours, message, 'not base64!'],
      [ours, message, signature.slice(0, -4)],
      [ours, message, `${signature}AAAA`],
      [ours, message, 'A'.repeat(1_000_000)],
    ] as const
    for (const [by, bytes, text] of cases) {
      expect(verifySignature(by, bytes, text)).toBe(false)
      expect(await verifySignatureAsync(by, bytes, text)).toBe(false)
    }
    expect(verifySignature(ours, message, signature)).toBe(true)
    expect(await verifySignatureAsync(ours, message, signature)).toBe(true)
  })

  it('refuses a signature whose scalar is not reduced', () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const raw = decodeBase64(signer.sign(bytesOf('x')))!
    let scalar = order
    for (let index = 63; index >= 32; index--) scalar += BigInt(raw[index]!) << BigInt(8 * (index - 32))
    for (let index = 32; index < 64; index++) raw[index] = Number((scalar >> BigInt(8 * (index - 32))) & 255n)
    expect(verifySignature(ours, bytesOf('x'), encodeBase64(raw))).toBe(false)
  })

  it('refuses public keys of small order, in both signs, and other spellings of a point', () => {
    const p = 2n ** 255n - 19n
    const encode = (y: bigint, sign: number): string => {
      const bytes = new Uint8Array(32)
      for (let index = 0; index < 32; index++) bytes[index] = Number((y >> BigInt(8 * index)) & 255n)
      bytes[31]! |= sign << 7
      return encodeBase64(bytes)
    }
    // On the curve, a point of order 8 doubles to one with y = 0, so that d·y⁴ + 2·y² − 1 = 0; d = −121665/121666.
    const y8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n
    expect((-121665n * y8 ** 4n + 121666n * (2n * y8 ** 2n - 1n)) % p).toBe(0n)
    for (const y of [0n, 1n, p - 1n, y8, p - y8, p, p + 1n, p + 5n, 2n ** 255n - 1n]) {
      expect(publicKey(encode(y, 0))).toBeUndefined()
      expect(publicKey(encode(y, 1))).toBeUndefined()
    }
  })

  it('shows why: the identity as a key would accept a signature made without any secret', () => {
    const identity = new Uint8Array(32)
    identity[0] = 1
    const forged = new Uint8Array(64)
    forged[0] = 1
    expect(nacl.sign.detached.verify(bytesOf('anything'), forged, identity)).toBe(true)
    expect(publicKey(encodeBase64(identity))).toBeUndefined()
  })

  it('refuses keys of another length or that are not base64', () => {
    for (const bad of [
      '',
      'AAAA',
      encodeBase64(new Uint8Array(31).fill(7)),
      encodeBase64(new Uint8Array(33).fill(7)),
      '?'.repeat(43),
    ]) {
      expect(publicKey(bad)).toBeUndefined()
    }
  })

  it('gives one spelling for a key that came with padding', () => {
    expect(publicKey(`${signer.publicKey}=`)?.base64).toBe(signer.publicKey)
  })
})

describe('a key file', () => {
  it('is read as it was written, several keys to a file', () => {
    const second = generateSigningKey(systemRandom)
    expect(parseKeyFile(`# ours\n${writeKeyFile(key)}\n${writeKeyFile(second)}`)).toEqual([key, second])
    expect(second.version).toMatch(/^a_[A-Za-z0-9]{4}$/)
  })

  it('is refused with the number of the line and without its content', () => {
    const secret = encodeBase64(new Uint8Array(31).fill(9))
    for (const bad of [
      `ed25519 a ${secret}`,
      `rsa a ${secret}`,
      'ed25519 a/b AAAA',
      'ed25519',
      `ed25519 a ${secret} b`,
    ]) {
      expect(() => parseKeyFile(`\n${bad}`)).toThrow(/^line 2 is not a signing key/)
      expect(() => parseKeyFile(bad)).not.toThrow(secret)
    }
    expect(() => parseKeyFile('\n\n')).toThrow('no signing key')
    expect(() => generateSigningKey(systemRandom, 'a:b')).toThrow(RangeError)
    expect(() => createSigner({ version: 'a', seed: new Uint8Array(31) })).toThrow(RangeError)
  })
})
