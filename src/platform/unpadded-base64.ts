/**
 * Base64 as Matrix writes it: without padding, in the standard alphabet.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#unpadded-base64
 */
const STANDARD = /^[A-Za-z0-9+/]*$/

/** Bytes to standard base64 without padding. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = view(bytes).toString('base64')
  return text.endsWith('==') ? text.slice(0, -2) : text.endsWith('=') ? text.slice(0, -1) : text
}

/**
 * Standard base64 to bytes; undefined where a character is outside the alphabet or the length is impossible.
 * Correct padding is accepted, as the specification asks of readers. The unused bits of the last character are
 * not looked at: other servers do not either, and to refuse a signature that they accept splits a room.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bare = withoutPadding(text)
  if (bare === undefined || bare.length % 4 === 1 || !STANDARD.test(bare)) return undefined
  return new Uint8Array(Buffer.from(bare, 'base64'))
}

function withoutPadding(text: string): string | undefined {
  if (!text.endsWith('=')) return text
  if (text.length % 4 !== 0) return undefined
  return text.endsWith('==') ? text.slice(0, -2) : text.slice(0, -1)
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
