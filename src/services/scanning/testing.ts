import {
  createCipheriv, createHash, createHmac, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, randomBytes,
} from 'node:crypto' // prettier-ignore
import { decodeBase64, encodeBase64 } from '../../platform/unpadded-base64.js'
import type { PkMessage } from './pk-decryption.js'

const SPKI = Buffer.from('302a300506032b656e032100', 'hex')

/** What a client does with the public key of the scanner. */
export function pkEncrypt(recipient: string, text: string): PkMessage {
  const { privateKey, publicKey } = generateKeyPairSync('x25519')
  const key = Buffer.concat([SPKI, decodeBase64(recipient)!])
  const theirs = createPublicKey({ key, format: 'der', type: 'spki' })
  const shared = diffieHellman({ privateKey, publicKey: theirs })
  const keys = Buffer.from(hkdfSync('sha256', shared, '', '', 80))
  const cipher = createCipheriv('aes-256-cbc', keys.subarray(0, 32), keys.subarray(64))
  return {
    ciphertext: encodeBase64(Buffer.concat([cipher.update(text), cipher.final()])),
    mac: encodeBase64(createHmac('sha256', keys.subarray(32, 64)).digest().subarray(0, 8)),
    ephemeral: encodeBase64(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)),
  }
}

/** What a client uploads of a file in an encrypted room, and what it then says of it in its message. */
export function encryptFile(plain: Uint8Array | string): {
  readonly ciphertext: Buffer
  readonly file: (url: string) => Record<string, unknown>
} {
  const key = randomBytes(32)
  const iv = Buffer.concat([randomBytes(8), Buffer.alloc(8)])
  const ciphertext = createCipheriv('aes-256-ctr', key, iv).update(plain)
  const sha256 = encodeBase64(createHash('sha256').update(ciphertext).digest())
  const k = key.toString('base64url')
  return {
    ciphertext,
    file: (url) => ({
      v: 'v2',
      url,
      key: { alg: 'A256CTR', ext: true, k, key_ops: ['encrypt', 'decrypt'], kty: 'oct' },
      iv: encodeBase64(iv),
      hashes: { sha256 },
    }),
  }
}
