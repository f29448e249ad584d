import { isObject, RawNumber, type Json } from '../../../src/core/json/value.js'
import type { Difference } from './compare.js'
import { encodeJson } from './encode-json.js'

/** A difference that is known, and why our side is the one that does as the specification says. */
export interface Explained {
  readonly name: string
  readonly because: string
  /** Where the specification says so. */
  readonly link: string
  readonly matches: (difference: Difference) => boolean
}

const SPEC = 'https://spec.matrix.org/v1.19'
const EVENT_FORMAT = `${SPEC}/rooms/v12/#event-format`

const member = (pdu: Json, key: string): Json | undefined =>
  isObject(pdu) && Object.hasOwn(pdu, key) ? pdu[key] : undefined
/** We drop what Synapse takes, because of one of these fields. */
const stricter = ({ about, ours, theirs }: Difference, ...fields: string[]): boolean =>
  about === 'format' &&
  !theirs.startsWith('dropped') &&
  fields.some((field) => ours === `dropped: malformed event: ${field}`)
/** Synapse drops, saying why, what we take. */
const looser = ({ about, ours, theirs }: Difference, why: string): boolean =>
  about === 'format' && !ours.startsWith('dropped') && theirs === `dropped: ${why}`
const isNegativeZero = (value: Json | undefined): boolean => value instanceof RawNumber && value.text === '-0'

/**
 * Every difference from Synapse that is not a fault of ours. A room's comparison ends at its first difference, so
 * each entry is as narrow as it can be.
 */
export const EXPLAINED: readonly Explained[] = [
  {
    name: 'members left out of the content hash',
    because:
      'The content hash covers all members but unsigned, signatures and hashes. Synapse also leaves out age_ts, outlier and destinations, which its own ancestors used to write.',
    link: `${SPEC}/server-server-api/#calculating-the-content-hash-for-an-event`,
    matches: ({ about, pdu }) =>
      (about === 'hash' || about === 'hash-verdict') &&
      ['age_ts', 'outlier', 'destinations'].some((key) => member(pdu, key) !== undefined),
  },
  {
    name: 'ids without their grammar',
    because:
      'sender, room_id, event_id and the references are ids, and ids have a grammar; an event without it is dropped. Synapse takes any string and fails later or not at all.',
    link: `${SPEC}/appendices/#identifier-grammar`,
    matches: (difference) =>
      stricter(difference, 'sender', 'room_id', 'event_id', 'prev_events', 'auth_events'),
  },
  {
    name: 'hashes and signatures without their shape',
    because:
      'Both are required objects. Synapse finds out when it checks the signatures, which comes after what is compared here.',
    link: EVENT_FORMAT,
    matches: (difference) => stricter(difference, 'hashes', 'signatures'),
  },
  {
    name: 'negative zero',
    because:
      'Canonical JSON has no -0, so an event of a strict room version that contains it is invalid. Python reads -0 as the integer 0.',
    link: `${SPEC}/appendices/#canonical-json`,
    matches: (difference) =>
      difference.rules.strictCanonicalJson &&
      (difference.rule === 'format.json'
        ? !difference.theirs.startsWith('dropped') && difference.ours.endsWith(': -0')
        : ['depth', 'origin_server_ts'].some(
            (key) => stricter(difference, key) && isNegativeZero(member(difference.pdu, key)),
          )),
  },
  {
    name: 'depth above 2^53−1',
    because: 'Room versions 1 to 5 limit depth to 2^63−1. Synapse applies the later limit to them too.',
    link: `${SPEC}/rooms/v1/#event-format`,
    matches: (difference) => looser(difference, 'Depth too large') && !difference.rules.strictCanonicalJson,
  },
  {
    name: 'event_id that is none, where ids are hashes',
    because:
      'From room version 3 on event_id is no part of the format: like any unknown member it is kept and means nothing. Synapse refuses values that are not like event ids.',
    link: `${SPEC}/rooms/v3/#event-ids`,
    matches: (difference) =>
      looser(difference, 'Invalid event JSON') &&
      difference.rules.eventIds !== 'on-the-wire' &&
      member(difference.pdu, 'event_id') !== undefined,
  },
  {
    name: 'create event among the auth events of version 12',
    because:
      'Rule 3.2 rejects such an event, and our auth rules do; Synapse drops it earlier. Neither lets it have any effect.',
    link: `${SPEC}/rooms/v12/#authorization-rules`,
    matches: (difference) =>
      looser(difference, 'auth_events must not contain the create event') &&
      difference.rules.roomIds === 'create-hash' &&
      encodeJson(member(difference.pdu, 'auth_events') ?? null).includes(
        String(member(difference.pdu, 'room_id')).slice(1),
      ),
  },
  {
    name: 'create event of version 12 that has a room_id',
    because:
      'Rule 1.2 rejects it. We drop it, because a create event that names a room has no format of version 12; Synapse rejects it, or fails on it where its state key is not empty. No side lets it have any effect.',
    link: `${SPEC}/rooms/v12/#authorization-rules`,
    matches: (difference) =>
      difference.about === 'format' &&
      difference.rules.roomIds === 'create-hash' &&
      member(difference.pdu, 'type') === 'm.room.create' &&
      member(difference.pdu, 'room_id') !== undefined &&
      (stricter(difference, 'room_id') || difference.theirs.startsWith('dropped: crash: ValueError')),
  },
]

export const explain = (difference: Difference): Explained | undefined =>
  EXPLAINED.find((known) => known.matches(difference))
