import { isUserId } from '../../../src/core/ids/user-id.js'
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
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const domainOf = (id: Json | undefined): string => text(id).slice(text(id).indexOf(':'))
const lengthOf = (list: Json | undefined): number => (Array.isArray(list) ? list.length : 0)
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
        text(member(difference.pdu, 'room_id')).slice(1),
      ),
  },
  {
    name: 'ten auth events and the create event',
    because:
      'An event may name ten auth events. In version 12 Synapse counts the create event, which the room id implies, as an eleventh.',
    link: `${SPEC}/rooms/v12/#event-format`,
    matches: (difference) =>
      looser(difference, 'Too many auth_events') &&
      difference.rules.roomIds === 'create-hash' &&
      lengthOf(member(difference.pdu, 'auth_events')) === 10,
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
  {
    name: 'target of another server in a room closed to federation',
    because:
      'Where m.federate is false the rules compare the server of the sender with that of the creator. Synapse also compares that of the user whose membership changes.',
    link: `${SPEC}/rooms/v12/#authorization-rules`,
    matches: ({ about, ours, theirs, pdu }) =>
      about === 'verdict' &&
      ours === 'ok' &&
      theirs.endsWith('This room has been marked as unfederatable.') &&
      member(pdu, 'type') === 'm.room.member' &&
      domainOf(member(pdu, 'sender')) !== domainOf(member(pdu, 'state_key')),
  },
  {
    name: 'user ids and levels that Python takes for some',
    because:
      'Keys of users must be valid user ids, levels must be integers or, up to version 9, strings of an optional sign and digits. Synapse takes @: for a user id, and up to version 9 all that Python can make an int of: true is 1.',
    link: `${SPEC}/rooms/v1/#authorization-rules`,
    matches: ({ about, rule, theirs, pdu, rules }) => {
      const content = member(pdu, 'content') ?? null
      const users = member(content, 'users') ?? null
      const hasBoolean = (map: Json | undefined): boolean =>
        isObject(map) && Object.values(map).some((level) => typeof level === 'boolean' || hasBoolean(level))
      return (
        about === 'verdict' &&
        rule.startsWith('power_levels.') &&
        theirs === 'ok' &&
        ((isObject(users) && !Object.keys(users).every(isUserId)) ||
          (rules.powerLevels !== 'integers' && hasBoolean(content)))
      )
    },
  },
  {
    name: 'power levels that Synapse fails on',
    because:
      'Up to version 9 the rules look at no levels but users, so others may have any value. We take a value that is no level for one that is left out, the specification has no answer, and Synapse raises an internal error for every later event.',
    link: `${SPEC}/rooms/v9/#authorization-rules`,
    matches: ({ about, ours, theirs, rules }) =>
      rules.powerLevels !== 'integers' &&
      ((about === 'verdict' &&
        ours === 'ok' &&
        /: crash: (Type|Value|Attribute|Overflow)Error/.test(theirs)) ||
        (about === 'crash' && /^(Type|Value|Attribute|Overflow)Error/.test(theirs))),
  },
]

export const explain = (difference: Difference): Explained | undefined =>
  EXPLAINED.find((known) => known.matches(difference))
