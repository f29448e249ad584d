import { NOT_REL_TYPES, REL_TYPES } from '../../core/event-filter.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'

/** Gives what is wrong with a value, undefined for nothing. `at` names the place. */
type Check = (value: Json, at: string) => string | undefined

const MAX_LIST = 2_000
const MAX_STRING = 512

const listOf =
  (what: string, test: (item: string) => boolean): Check =>
  (value, at) => {
    if (!Array.isArray(value)) return `${at} must be a list`
    const list = value as readonly Json[]
    if (list.length > MAX_LIST) return `${at} has more than ${MAX_LIST} items`
    return list.every((item) => typeof item === 'string' && item.length <= MAX_STRING && test(item))
      ? undefined
      : `${at} must be a list of ${what}`
  }
const strings = listOf('strings', () => true)
const users = listOf('user ids', isUserId)
const rooms = listOf('room ids', isRoomId)
const boolean: Check = (value, at) => (typeof value === 'boolean' ? undefined : `${at} must be true or false`)
const limit: Check = (value, at) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? undefined
    : `${at} must be a whole number, not negative`
const format: Check = (value, at) =>
  value === 'client' || value === 'federation' ? undefined : `${at} must be "client" or "federation"`

/** Checks the known members of an object; others are of no concern. */
const object =
  (members: Readonly<Record<string, Check>>): Check =>
  (value, at) => {
    if (!isObject(value)) return `${at} must be an object`
    for (const [key, check] of Object.entries(members)) {
      const member = Object.hasOwn(value, key) ? value[key] : undefined
      if (member === undefined) continue
      const fault = check(member, `${at}.${key}`)
      if (fault !== undefined) return fault
    }
    return undefined
  }

const EVENTS = { limit, types: strings, not_types: strings, senders: users, not_senders: users }
const events = object(EVENTS)
const roomEvents = object({
  ...EVENTS,
  rooms,
  not_rooms: rooms,
  contains_url: boolean,
  [REL_TYPES]: strings,
  [NOT_REL_TYPES]: strings,
  lazy_load_members: boolean,
  include_redundant_members: boolean,
  unread_thread_notifications: boolean,
})
const filter = object({
  event_fields: strings,
  event_format: format,
  presence: events,
  account_data: events,
  room: object({
    rooms,
    not_rooms: rooms,
    include_leave: boolean,
    state: roomEvents,
    timeline: roomEvents,
    ephemeral: roomEvents,
    account_data: roomEvents,
  }),
})

/**
 * What is wrong with a filter of `/sync`, in words; undefined for nothing. Unknown members are allowed.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#filtering
 */
export const filterFault = (json: JsonObject): string | undefined => filter(json, 'filter')

/** The same for the `filter` of `/messages`, `/context` and search. */
export const roomEventFilterFault = (json: JsonObject): string | undefined => roomEvents(json, 'filter')
