import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Random } from './random.js'

/** Keeps secrets in a database so that whoever has the database alone cannot read them. */
export interface Seal {
  /** `owner`: what is sealed for one does not open for another. */
  seal(secret: Uint8Array, owner: string): string
  /** Undefined for what was sealed by another secret, for another owner, or was altered. */
  open(sealed: string, owner: string): Uint8Array | undefined
}

const VERSION = 'v1'
const IV_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32

/** AES-256-GCM with a key from `secret` by HKDF-SHA-256. `purpose`: keys of one secret for several uses differ. */
export function createSeal(secret: string, purpose: string, random: Pick<Random, 'bytes'>): Seal {
  const key = Buffer.from(hkdfSync('sha256', secret, '', purpose, KEY_BYTES))
  return {
    seal(plain, owner) {
      const iv = random.bytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, iv)
      cipher.setAAD(Buffer.from(owner))
      const text = Buffer.concat([cipher.update(plain), cipher.final()])
      const parts = [iv, Buffer.concat([text, cipher.getAuthTag()])]
      return [VERSION, ...parts.map((part) => Buffer.from(part).toString('base64url'))].join('.')
    },
    open(sealed, owner) {
      const [version, iv, rest] = sealed.split('.')
      if (version !== VERSION || iv === undefined || rest === undefined) return undefined
      const bytes = Buffer.from(rest, 'base64url')
      const nonce = Buffer.from(iv, 'base64url')
      if (bytes.length < TAG_BYTES || nonce.length !== IV_BYTES) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(owner))
      decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()])
      } catch {
        return undefined
      }
    },
  }
}
