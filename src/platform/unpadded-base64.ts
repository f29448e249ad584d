/**
 * Base64 as Matrix writes it: without padding, in the standard or the URL-safe alphabet.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#unpadded-base64
 */
const STANDARD = /^[A-Za-z0-9+/]*$/
const URL_SAFE = /^[A-Za-z0-9_-]*$/

/** Bytes to standard base64 without padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = view(bytes).toString('base64')
  return text.endsWith('==') ? text.slice(0, -2) : text.endsWith('=') ? text.slice(0, -1) : text
}

/** Bytes to URL-safe base64 without padding. */
export function encodeUrlSafeBase64(bytes: Uint8Array): string {
  return view(bytes).toString('base64url')
}

/**
 * Standard base64 to bytes; undefined where a character is outside the alphabet or the length is impossible.
 * Correct padding is accepted, as the specification asks of readers. The unused bits of the last character are
 * not looked at: other servers do not either, and to refuse a signature that they accept splits a room.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  return decode(text, STANDARD, 'base64')
}

/** URL-safe base64 to bytes, else as `decodeBase64`. */
export function decodeUrlSafeBase64(text: string): Uint8Array | undefined {
  return decode(text, URL_SAFE, 'base64url')
}

function decode(text: string, alphabet: RegExp, encoding: 'base64' | 'base64url'): Uint8Array | undefined {
  const bare = withoutPadding(text)
  if (bare === undefined || bare.length % 4 === 1 || !alphabet.test(bare)) return undefined
  return new Uint8Array(Buffer.from(bare, encoding))
}

function withoutPadding(text: string): string | undefined {
  if (!text.endsWith('=')) return text
  if (text.length % 4 !== 0) return undefined
  return text.endsWith('==') ? text.slice(0, -2) : text.slice(0, -1)
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
