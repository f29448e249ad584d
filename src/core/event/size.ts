import { fitsId, MAX_ID_BYTES, utf8Length } from '../ids/common.js'
import { tryCanonicalJson } from '../json/canonical.js'
import type { JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { canonicalMode } from './hash.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from './types.js'

/** The most bytes that an event may have in canonical form, signatures included. */
export const MAX_PDU_BYTES = 65_536
export const MAX_PREV_EVENTS = 20
export const MAX_AUTH_EVENTS = 10

/**
 * Measures an event in canonical form; refuses what has no such form or is too large.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#size-limits
 */
export function checkPduSize(pdu: JsonObject, rules: RoomVersionRules): Verdict {
  const canonical = tryCanonicalJson(pdu, canonicalMode(rules))
  if (!canonical.ok) return refuse('format.json', canonical.reason)
  return checkTextSize(canonical.text)
}

/** The same of the canonical form itself. */
export function checkTextSize(canonical: string): Verdict {
  // Every UTF-16 unit takes one byte at least and three at most.
  const units = canonical.length
  const bytes = units * 3 <= MAX_PDU_BYTES ? units : utf8Length(canonical)
  return bytes <= MAX_PDU_BYTES ? ALLOW : refuse('format.size', `the event takes ${bytes} bytes`)
}

/** Whether a field has at most 255 code points, the limit that servers enforced first. */
export function fitsCodePoints(text: string): boolean {
  if (text.length <= MAX_ID_BYTES) return true
  if (text.length > MAX_ID_BYTES * 2) return false
  return Array.from(text).length <= MAX_ID_BYTES
}

/** From room version 11 on no server has accepted fields of more than 255 bytes. */
export const strictFieldBytes = (rules: RoomVersionRules): boolean => rules.redaction === 'v11'

/**
 * In room versions 1–10 servers used to count code points. An event with a field of more than 255 bytes, but no more
 * than 255 code points, may have become part of a room: it is kept, as rejected, instead of being dropped.
 */
export function checkFieldBytes(event: RoomEvent): Verdict {
  for (const [name, value] of [
    ['type', event.type],
    ['state_key', event.stateKey],
  ] as const) {
    if (value !== undefined && !fitsId(value)) return refuse('size.field', `${name} has more than 255 bytes`)
  }
  return ALLOW
}
