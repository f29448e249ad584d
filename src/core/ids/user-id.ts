import { parseQualified, type QualifiedId } from './common.js'

const STRICT = /^[a-z0-9._=\-/+]+$/
const PRINTABLE = /^[\x21-\x7e]+$/

/**
 * Parses a user id by the historical grammar, which every event may use: any localpart without colon and NUL, even
 * an empty one, and a server name; at most 255 bytes.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#historical-user-ids
 */
export const parseUserId = (text: string): QualifiedId | undefined => parseQualified('@', text)
export const isUserId = (text: string): boolean => parseUserId(text) !== undefined

/**
 * A localpart that a new account may have; the length of the whole id is checked with the server name.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#user-identifiers
 */
export const isStrictLocalpart = (localpart: string): boolean => STRICT.test(localpart)

/**
 * A user id that may be shown to clients outside the context of an event: a localpart of visible ASCII characters.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#historical-user-ids
 */
export function isCompliantUserId(text: string): boolean {
  const id = parseUserId(text)
  return id !== undefined && PRINTABLE.test(id.localpart)
}
