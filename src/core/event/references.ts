import { isStandardHashEventId, isUrlSafeHashEventId, parseOpaqueEventId } from '../ids/event-id.js'
import { isObject, type Json } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'

/** True for an event id that the room version could have. */
export function isEventIdOf(rules: RoomVersionRules, id: string): boolean {
  switch (rules.eventIds) {
    case 'on-the-wire':
      return parseOpaqueEventId(id) !== undefined
    case 'hash':
      return isStandardHashEventId(id)
    case 'hash-url-safe':
      return isUrlSafeHashEventId(id)
  }
}

/**
 * The ids in `prev_events` or `auth_events`: pairs of an id and hashes in room versions 1 and 2, plain ids later.
 * The hashes of the pairs are not used by anybody. Undefined when the list has another shape or is too long.
 */
export function readReferences(
  list: Json | undefined,
  rules: RoomVersionRules,
  max: number,
): readonly string[] | undefined {
  if (!isList(list) || list.length > max) return undefined
  const ids: string[] = []
  for (const entry of list) {
    let id = entry
    if (rules.eventIds === 'on-the-wire') {
      if (!isList(entry) || entry.length !== 2 || !isObject(entry[1])) return undefined
      id = entry[0] as Json
    }
    if (typeof id !== 'string' || !isEventIdOf(rules, id)) return undefined
    ids.push(id)
  }
  return ids
}

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value)
