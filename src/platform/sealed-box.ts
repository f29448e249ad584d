import nacl from 'tweetnacl'
import type { Random } from './random.js'

/** A pair of X25519 keys, 32 bytes each. */
export interface BoxKeys {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

const KEY_BYTES = nacl.box.publicKeyLength

export const newBoxKeys = (random: Random): BoxKeys => boxKeysOf(random.bytes(nacl.box.secretKeyLength))

/** The pair of a secret key. Pre: 32 bytes. */
export function boxKeysOf(secret: Uint8Array): BoxKeys {
  const { publicKey, secretKey } = nacl.box.keyPair.fromSecretKey(new Uint8Array(secret))
  return { publicKey, secretKey }
}

/** Both keys decide the nonce: the sender's is used once, so that no nonce is. */
const nonceOf = (ephemeral: Uint8Array, recipient: Uint8Array): Uint8Array =>
  nacl.hash(Buffer.concat([ephemeral, recipient])).subarray(0, nacl.box.nonceLength)

/**
 * Bytes that only the owner of a key can read: X25519, XSalsa20, Poly1305 with a key of the sender that is used once and stands before the rest. It says
 * nothing of who sealed it. Blocks for about 2 ms and 15 ms a megabyte. Throws a RangeError for a key that has not 32 bytes.
 */
export function seal(message: Uint8Array, recipient: Uint8Array, random: Random): Uint8Array {
  if (recipient.length !== KEY_BYTES) throw new RangeError('an X25519 key has 32 bytes')
  const { publicKey, secretKey } = newBoxKeys(random)
  const box = nacl.box(
    new Uint8Array(message),
    nonceOf(publicKey, recipient),
    new Uint8Array(recipient),
    secretKey,
  )
  return Buffer.concat([publicKey, box])
}

/** What was sealed; undefined for what was not, or not with this key. */
export function unseal(sealed: Uint8Array, { publicKey, secretKey }: BoxKeys): Uint8Array | undefined {
  if (sealed.length < KEY_BYTES + nacl.box.overheadLength) return undefined
  const ephemeral = new Uint8Array(sealed.subarray(0, KEY_BYTES))
  const box = new Uint8Array(sealed.subarray(KEY_BYTES))
  return nacl.box.open(box, nonceOf(ephemeral, publicKey), ephemeral, secretKey) ?? undefined
}
