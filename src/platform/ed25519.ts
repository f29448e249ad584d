import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import nacl from 'tweetnacl'
import { createLru } from './lru.js'
import type { Random } from './random.js'
import { decodeBase64, encodeBase64 } from './unpadded-base64.js'

/** A private signing key: 32 bytes of seed under a version of letters, digits and underscores. */
export interface SigningKey {
  readonly version: string
  readonly seed: Uint8Array
}

export interface Signer {
  /** `ed25519:<version>`. */
  readonly keyId: string
  /** 32 bytes, unpadded standard base64. */
  readonly publicKey: string
  /** The signature of the bytes, 64 bytes as unpadded standard base64. */
  sign(bytes: Uint8Array): string
}

/** A public key that may be verified with; made by `publicKey` alone. */
export interface PublicKey {
  /** 32 bytes, unpadded standard base64, always in its one canonical spelling. */
  readonly base64: string
  readonly object: KeyObject
}

export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
const SEED_BYTES = 32
const VERSION = /^[A-Za-z0-9_]{1,64}$/

// The fixed DER around a raw key (RFC 8410); node:crypto takes raw Ed25519 keys in no other synchronous way.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** Makes a key from 32 random bytes. The version is random too where none is given. */
export function generateSigningKey(random: Random, version = `a_${random.string(4)}`): SigningKey {
  if (!VERSION.test(version)) throw new RangeError('a key version is 1 to 64 letters, digits and underscores')
  // tweetnacl derives the pair; the first half of its secret key is the seed.
  const pair = nacl.sign.keyPair.fromSeed(random.bytes(SEED_BYTES))
  return { version, seed: pair.secretKey.slice(0, SEED_BYTES) }
}

export function createSigner(key: SigningKey): Signer {
  if (key.seed.length !== SEED_BYTES) throw new RangeError('an Ed25519 seed has 32 bytes')
  const secret = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, key.seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' })
  return {
    keyId: `ed25519:${key.version}`,
    publicKey: encodeBase64(spki.subarray(SPKI_PREFIX.length)),
    sign: (bytes) => encodeBase64(sign(null, bytes, secret)),
  }
}

/** A key that was signed with in the past: only its public half is left. */
export interface RetiredSigningKey {
  /** `ed25519:<version>`. */
  readonly keyId: string
  /** Unpadded base64. */
  readonly publicKey: string
  /** When it was last used, in milliseconds since 1970. */
  readonly expiredTs: number
}

/**
 * A key file in the form `ed25519 <version> <unpadded base64 seed>`, the one that Synapse writes, newline included; behind it a line
 * for each key that was signed with before.
 */
export function writeKeyFile(key: SigningKey, retired: readonly RetiredSigningKey[] = []): string {
  const before = retired.map((old) => `retired ${old.keyId} ${old.publicKey} ${old.expiredTs}\n`)
  return `ed25519 ${key.version} ${encodeBase64(key.seed)}\n${before.join('')}`
}

export interface KeyFile {
  /** In the file's order, at least one; the first signs. */
  readonly keys: readonly SigningKey[]
  readonly retired: readonly RetiredSigningKey[]
}

/**
 * Reads a key file; several lines are several keys. Lines that are empty or start with `#` are passed over.
 * Throws an Error that names the line, and no key material, where a line is not a key.
 */
export function readKeyFile(text: string): KeyFile {
  const keys: SigningKey[] = []
  const retired: RetiredSigningKey[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const words = line.split(/[ \t]+/)
    const old = words[0] === 'retired' ? retiredKey(words) : undefined
    const key = old === undefined ? signingKey(words) : undefined
    if (old !== undefined) retired.push(old)
    else if (key !== undefined) keys.push(key)
    else
      throw new Error(
        `line ${index + 1} is not a signing key: expected "ed25519 <version> <unpadded base64 of 32 bytes>"`,
      )
  }
  if (keys.length === 0) throw new Error('the file holds no signing key')
  return { keys, retired }
}

/** The keys of a key file that sign; see `readKeyFile`. */
export const parseKeyFile = (text: string): readonly SigningKey[] => readKeyFile(text).keys

function signingKey(words: readonly string[]): SigningKey | undefined {
  const [algorithm, version = '', seed = ''] = words
  if (algorithm !== 'ed25519' || words.length !== 3 || !VERSION.test(version)) return undefined
  const bytes = decodeBase64(seed)
  return bytes?.length === SEED_BYTES ? { version, seed: bytes } : undefined
}

function retiredKey(words: readonly string[]): RetiredSigningKey | undefined {
  const [, keyId = '', text = '', ts = ''] = words
  const [algorithm, version = '', ...rest] = keyId.split(':')
  if (words.length !== 4 || algorithm !== 'ed25519' || rest.length > 0 || !VERSION.test(version))
    return undefined
  const key = publicKey(text)
  if (key === undefined || !/^[0-9]{1,15}$/.test(ts)) return undefined
  return { keyId, publicKey: key.base64, expiredTs: Number(ts) }
}

/** Building a KeyObject costs about as much as a tenth of a verification; the keys of one room's servers fit. */
const keyCache = createLru<string, PublicKey>({ max: 4_096 })

/**
 * A public key from base64 (unpadded or padded) that is safe to verify with; undefined where it is not 32 bytes,
 * not the canonical encoding of a point, or of small order: such a key "verifies" signatures that nobody made.
 */
export function publicKey(base64: string): PublicKey | undefined {
  // 44 characters are 32 bytes with padding; longer strings are not worth decoding.
  if (base64.length > 44) return undefined
  const known = keyCache.get(base64)
  if (known !== undefined) return known
  const bytes = decodeBase64(base64)
  if (bytes?.length !== PUBLIC_KEY_BYTES || !isSafePoint(bytes)) return undefined
  const object = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: 'der', type: 'spki' })
  const key = { base64: encodeBase64(bytes), object }
  keyCache.set(base64, key)
  return key
}

/** Whether the signature (base64) over the bytes was made with this key. Blocks for about 0.1 ms. */
export function verifySignature(key: PublicKey, bytes: Uint8Array, signature: string): boolean {
  const raw = decodeSignature(signature)
  return raw !== undefined && verify(null, bytes, key.object, raw)
}

/** The same with the key as base64 text; false where that is no key that may be used. */
export function verifySignatureBy(key: string, bytes: Uint8Array, signature: string): boolean {
  const known = publicKey(key)
  return known !== undefined && verifySignature(known, bytes, signature)
}

/** As `verifySignature`, on the thread pool. Never rejects. */
export function verifySignatureAsync(key: PublicKey, bytes: Uint8Array, signature: string): Promise<boolean> {
  const raw = decodeSignature(signature)
  if (raw === undefined) return Promise.resolve(false)
  return new Promise((resolve) => {
    verify(null, bytes, key.object, raw, (error, ok) => resolve(error === null && ok))
  })
}

function decodeSignature(signature: string): Uint8Array | undefined {
  if (signature.length > 88) return undefined
  const raw = decodeBase64(signature)
  return raw?.length === SIGNATURE_BYTES ? raw : undefined
}

/** The y coordinates of the eight points of small order, little-endian, sign bit cleared: 0, 1, −1 and the two of order 8. */
const SMALL_ORDER_Y = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
])

function isSafePoint(bytes: Uint8Array): boolean {
  const y = Buffer.from(bytes)
  y[31] = y[31]! & 0x7f
  // y ≥ p = 2^255 − 19 is a second spelling of a smaller y.
  const overflows = y[31] === 0x7f && y[0]! >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff)
  return !overflows && !SMALL_ORDER_Y.has(y.toString('hex'))
}
