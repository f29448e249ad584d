import { canonicalJson, canonicalMembers } from '../json/canonical.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { canonicalMode } from './hash.js'
import { redact } from './redact.js'
import type { Pdu } from './types.js'

/** The canonical texts of an event that its checks are made of. They share most of their members. */
export interface CanonicalForms {
  /** Of the whole event: what its size is measured by. */
  readonly whole: string
  /** What the content hash covers. */
  readonly hashed: string
  /** Of the redacted event: what its signatures and its reference hash cover. */
  readonly signed: string
}

const UNHASHED: ReadonlySet<string> = new Set(['unsigned', 'signatures', 'hashes'])
const UNSIGNED: ReadonlySet<string> = new Set(['unsigned', 'signatures'])

/** Writes the members of an event once for all its forms. Throws `NotCanonical`. */
export function canonicalForms(pdu: Pdu, rules: RoomVersionRules): CanonicalForms {
  const mode = canonicalMode(rules)
  const members = canonicalMembers(pdu, mode)
  const redacted = redact(pdu, rules)
  let whole = ''
  let hashed = ''
  let signed = ''
  for (const [key, member] of members) {
    whole += whole === '' ? member : ',' + member
    if (!UNHASHED.has(key)) hashed += hashed === '' ? member : ',' + member
    if (UNSIGNED.has(key) || !Object.hasOwn(redacted, key)) continue
    const kept = redacted[key] === pdu[key] ? member : `"${key}":${canonicalJson(redacted[key]!, mode)}`
    signed += signed === '' ? kept : ',' + kept
  }
  return { whole: `{${whole}}`, hashed: `{${hashed}}`, signed: `{${signed}}` }
}
