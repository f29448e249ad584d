import { isServerName } from './server-name.js'

/** Identifiers, event types and state keys have at most this many bytes of UTF-8. */
export const MAX_ID_BYTES = 255

/** What `&localpart:domain` consists of. */
export interface QualifiedId {
  readonly localpart: string
  readonly domain: string
}

/** The number of bytes that a string takes as UTF-8; a lone surrogate counts as the replacement character does. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit <= 0xdbff && isLowSurrogate(text.charCodeAt(i + 1))) {
      // Two units, four bytes.
      bytes += 2
      i++
    } else bytes += 2
  }
  return bytes
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** True for at most 255 bytes. Looks at no more of a long string than needed. */
export const fitsId = (text: string): boolean =>
  text.length <= MAX_ID_BYTES && (text.length * 3 <= MAX_ID_BYTES || utf8Length(text) <= MAX_ID_BYTES)

const ILLEGAL = /[\p{Surrogate}\0]/u // oxlint-disable-line no-control-regex

/** True for strings without NUL and lone surrogates. */
export const isLegalText = (text: string): boolean => !ILLEGAL.test(text)

/**
 * Splits `&localpart:domain` at the first colon (a localpart cannot have one, a domain can).
 * The localpart may be any text, also empty; the domain must be a server name.
 */
export function parseQualified(sigil: string, text: string): QualifiedId | undefined {
  if (!text.startsWith(sigil) || !fitsId(text)) return undefined
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  const localpart = text.slice(1, colon)
  const domain = text.slice(colon + 1)
  return isLegalText(localpart) && isServerName(domain) ? { localpart, domain } : undefined
}

/** 43 characters of URL-safe unpadded base64: a SHA-256. The last one carries four bits only. */
export const isUrlSafeHash = (text: string): boolean => URL_SAFE_HASH.test(text)
const URL_SAFE_HASH = /^[0-9A-Za-z_-]{42}[AEIMQUYcgkosw048]$/
