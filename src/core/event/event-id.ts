import type { RoomVersionRules } from '../room-version/rules.js'
import { referenceHash } from './hash.js'
import type { Pdu } from './types.js'

/**
 * The id of an event: what it says itself in room versions 1 and 2, where `readPdu` has checked it, and `$` with the
 * reference hash in all others, whatever the event may say.
 */
export function eventId(pdu: Pdu, rules: RoomVersionRules): string {
  return rules.eventIds === 'on-the-wire' ? (pdu['event_id'] as string) : `$${referenceHash(pdu, rules)}`
}
