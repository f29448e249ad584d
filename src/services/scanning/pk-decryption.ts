import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto'
import { decodeBase64, encodeBase64 } from '../../platform/unpadded-base64.js'

/** A message to a Curve25519 key; all three unpadded base64. */
export interface PkMessage {
  readonly ciphertext: string
  readonly mac: string
  readonly ephemeral: string
}

/** The receiving half of libolm's PkEncryption. */
export interface PkDecryption {
  /** Unpadded base64. */
  readonly publicKey: string
  /** Undefined for whatever cannot be read. */
  decrypt(message: PkMessage): Uint8Array | undefined
}

const MAC_LENGTH = 8
/** What stands before the 32 bytes of a raw key in its DER form. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')
const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

/**
 * Curve25519, HKDF-SHA-256 (no salt, no info) to an AES key, a MAC key and an IV; AES-256-CBC with PKCS#7.
 * NOTSPEC: the MAC is HMAC-SHA-256 over the empty string, its first 8 bytes: libolm computes it so, and every client with it. It proves the key, and nothing of the ciphertext.
 */
export function createPkDecryption(secret: Uint8Array): PkDecryption {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8, secret]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })

  function sharedSecret(ephemeral: Uint8Array): Buffer | undefined {
    try {
      const publicKey: KeyObject = createPublicKey({
        key: Buffer.concat([SPKI, ephemeral]),
        format: 'der',
        type: 'spki',
      })
      return diffieHellman({ privateKey, publicKey })
    } catch {
      // A key of small order gives no secret.
      return undefined
    }
  }

  return {
    publicKey: encodeBase64(spki.subarray(-32)),
    decrypt(message) {
      const ephemeral = decodeBase64(message.ephemeral)
      const mac = decodeBase64(message.mac)
      const ciphertext = decodeBase64(message.ciphertext)
      if (ephemeral?.length !== 32 || mac === undefined || ciphertext === undefined) return undefined
      const shared = sharedSecret(ephemeral)
      if (shared === undefined) return undefined
      const keys = Buffer.from(hkdfSync('sha256', shared, Buffer.alloc(0), Buffer.alloc(0), 80))
      const wanted = createHmac('sha256', keys.subarray(32, 64)).digest().subarray(0, MAC_LENGTH)
      if (mac.length !== MAC_LENGTH || !timingSafeEqual(mac, wanted)) return undefined
      const decipher = createDecipheriv('aes-256-cbc', keys.subarray(0, 32), keys.subarray(64, 80))
      try {
        return Buffer.concat([decipher.update(ciphertext), decipher.final()])
      } catch {
        return undefined
      }
    },
  }
}
