import { createDecipheriv } from 'node:crypto'
import { Readable } from 'node:stream'
import { isObject } from '../../core/json/value.js'
import { decodeBase64 } from '../../platform/unpadded-base64.js'
import { scanError } from './scan-errors.js'

/** What is needed to read an encrypted medium. Never stored and never logged. */
export interface EncryptedFile {
  readonly origin: string
  readonly mediaId: string
  /** 32 bytes. */
  readonly key: Uint8Array
  /** 16 bytes: the counter block. */
  readonly iv: Uint8Array
  /** Of the ciphertext, lower-case hexadecimal. */
  readonly sha256: string
}

const MAX_URL = 600

/**
 * Reads what a message says of its encrypted file. Throws `MCS_MALFORMED_JSON` for what is none, in words without anything of it.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#sending-encrypted-attachments
 */
export function parseEncryptedFile(value: unknown): EncryptedFile {
  const malformed = (what: string): never => {
    throw scanError('MCS_MALFORMED_JSON', `\`file\` is not an encrypted file: ${what}`)
  }
  if (!isObject(value)) return malformed('it is no object')
  const { v, key, iv, hashes, url } = value
  if (v !== undefined && v !== 'v2' && v !== 'v1') return malformed('the version is not known')
  if (!isObject(key) || key['kty'] !== 'oct' || key['alg'] !== 'A256CTR')
    return malformed('the key is not for A256CTR')
  const k = bytesOf(key['k'], 32, true)
  if (k === undefined) return malformed('the key has not 32 bytes')
  const counter = bytesOf(iv, 16)
  if (counter === undefined) return malformed('`iv` has not 16 bytes')
  const hash = bytesOf(isObject(hashes) ? hashes['sha256'] : undefined, 32)
  if (hash === undefined) return malformed('`hashes.sha256` is missing')
  const parts = typeof url === 'string' && url.length <= MAX_URL ? url.split('/') : []
  const [scheme, empty, origin, mediaId, ...rest] = parts
  if (scheme !== 'mxc:' || empty !== '' || origin === undefined || mediaId === undefined || rest.length > 0)
    return malformed('`url` is not an mxc:// address')
  return { origin, mediaId, key: k, iv: counter, sha256: Buffer.from(hash).toString('hex') }
}

/** Base64, or base64url, of exactly so many bytes. */
function bytesOf(value: unknown, length: number, isUrl = false): Uint8Array | undefined {
  if (typeof value !== 'string' || value.length > 64) return undefined
  const text = isUrl ? value.replaceAll('-', '+').replaceAll('_', '/') : value
  const bytes = decodeBase64(text)
  return bytes?.length === length ? bytes : undefined
}

/** The plain bytes of a ciphertext, as they are read; as many as there are of the ciphertext. Destroying it destroys what it reads. */
export function decrypted(ciphertext: Readable, { key, iv }: EncryptedFile): Readable {
  const decipher = createDecipheriv('aes-256-ctr', key, iv)
  async function* plain(): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of ciphertext as AsyncIterable<Uint8Array>) yield decipher.update(piece)
      const rest = decipher.final()
      if (rest.length > 0) yield rest
    } finally {
      ciphertext.destroy()
    }
  }
  const stream = Readable.from(plain(), { objectMode: false })
  // A stream that nobody began to read never enters the generator.
  stream.once('close', () => ciphertext.destroy())
  return stream
}
