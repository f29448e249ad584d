/**
 * Encrypted attachments as clients make them: AES-CTR with a random key, the hash over the encrypted bytes.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#sending-encrypted-attachments
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

const unpadded = (bytes) => bytes.toString('base64').replace(/=+$/, '')
const sha256 = (bytes) => unpadded(createHash('sha256').update(bytes).digest())

/** The encrypted bytes and the `file` object of the event, without `url`. */
export function encryptAttachment(bytes) {
  const key = randomBytes(32)
  // The counter is the lower half.
  const iv = Buffer.concat([randomBytes(8), Buffer.alloc(8)])
  const cipher = createCipheriv('aes-256-ctr', key, iv)
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final()])
  const jwk = {
    kty: 'oct',
    alg: 'A256CTR',
    ext: true,
    key_ops: ['encrypt', 'decrypt'],
    k: key.toString('base64url'),
  }
  return { bytes: sealed, file: { v: 'v2', key: jwk, iv: unpadded(iv), hashes: { sha256: sha256(sealed) } } }
}

/** Throws when the bytes are not those that were encrypted. */
export function decryptAttachment(sealed, file) {
  if (sha256(sealed) !== file.hashes.sha256) throw new Error('the attachment is not what was sent')
  const key = Buffer.from(file.key.k, 'base64url')
  const decipher = createDecipheriv('aes-256-ctr', key, Buffer.from(file.iv, 'base64'))
  return Buffer.concat([decipher.update(sealed), decipher.final()])
}
