import { createHash } from 'node:crypto'
import { canonicalJson, type CanonicalMode } from '../json/canonical.js'
import { isObject, type Json, type JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { redact } from './redact.js'
import type { Pdu } from './types.js'

/** How the events of a room version are written for hashing, signing and measuring. */
export const canonicalMode = (rules: RoomVersionRules): CanonicalMode =>
  rules.strictCanonicalJson ? 'strict' : 'lenient'

/** A copy without some keys. */
export function without(object: JsonObject, keys: readonly string[]): JsonObject {
  const out: Record<string, Json> = { ...object }
  for (const key of keys) delete out[key]
  return out
}

/** Unpadded standard base64. */
const unpadded = (base64: string): string => base64.replace(/=+$/, '')

const sha256 = (text: string, encoding: 'base64' | 'base64url'): string =>
  unpadded(createHash('sha256').update(text, 'utf8').digest(encoding))

/**
 * The hash over the whole event, unpadded standard base64, as it stands in `hashes.sha256`.
 * Throws `NotCanonical` for an event that `readPdu` would refuse.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#calculating-the-content-hash-for-an-event
 */
export function contentHash(pdu: JsonObject, rules: RoomVersionRules): string {
  return sha256(hashedText(pdu, rules), 'base64')
}

const hashedText = (pdu: JsonObject, rules: RoomVersionRules): string =>
  canonicalJson(without(pdu, ['unsigned', 'signatures', 'hashes']), canonicalMode(rules))

/** Whether the event claims the content hash of this text, which is its own as `canonicalForms` writes it. */
export function claimsHashOf(pdu: Pdu, hashed: string): boolean {
  const claimed = isObject(pdu.hashes) ? pdu.hashes['sha256'] : undefined
  if (typeof claimed !== 'string') return false
  // Other servers pad, or use the URL-safe alphabet: the bytes count.
  const standard = claimed.replaceAll('-', '+').replaceAll('_', '/')
  return unpadded(standard.slice(0, 64)) === sha256(hashed, 'base64')
}

/**
 * Whether the event carries the hash of its own content. If not, it may have been redacted on the way, and only its
 * redacted form (`redactedEvent`) may be used.
 */
export function verifyContentHash(pdu: Pdu, rules: RoomVersionRules): boolean {
  return claimsHashOf(pdu, hashedText(pdu, rules))
}

/**
 * The hash over the redacted event, unpadded base64 (standard, or URL-safe from room version 4), that later events
 * refer to and that event ids of room versions 3 and up are made of.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#calculating-the-reference-hash-for-an-event
 */
export function referenceHash(pdu: Pdu, rules: RoomVersionRules): string {
  const hashed = without(redact(pdu, rules), ['signatures', 'unsigned'])
  return referenceHashOf(canonicalJson(hashed, canonicalMode(rules)), rules)
}

/** The same from the text that it covers. */
export function referenceHashOf(signed: string, rules: RoomVersionRules): string {
  return sha256(signed, rules.eventIds === 'hash-url-safe' ? 'base64url' : 'base64')
}
