import { fitsId, isLegalText, isUrlSafeHash, parseQualified, type QualifiedId } from './common.js'

const STANDARD_HASH = /^[0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]$/

/** Parses an event id of room versions 1 and 2, `$opaque:domain`. */
export const parseOpaqueEventId = (text: string): QualifiedId | undefined => parseQualified('$', text)

/** `$` and a hash: of room version 3 in standard base64, later in URL-safe base64. */
export const isStandardHashEventId = (text: string): boolean =>
  text.startsWith('$') && STANDARD_HASH.test(text.slice(1))
export const isUrlSafeHashEventId = (text: string): boolean =>
  text.startsWith('$') && isUrlSafeHash(text.slice(1))

/**
 * An event id where the room version is not known, as in a path or a receipt: any legal text after the sigil, at
 * most 255 bytes. Clients and servers treat event ids as opaque.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#event-ids
 */
export const isEventId = (text: string): boolean =>
  text.length > 1 && text.startsWith('$') && fitsId(text) && isLegalText(text)
