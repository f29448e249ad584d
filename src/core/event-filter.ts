import { compileGlob } from './glob.js'
import { isObject, ownValue, type Json, type JsonObject } from './json/value.js'

/** What a filter looks at of an event, room or not. */
export interface Filterable {
  readonly type: string
  readonly sender?: string | undefined
  readonly roomId?: string | undefined
  readonly content: JsonObject
}

/** A compiled `EventFilter` or `RoomEventFilter`. */
export interface EventFilter {
  readonly limit: number | undefined
  readonly lazyLoadMembers: boolean
  readonly unreadThreadNotifications: boolean
  /** True when types, senders and content do not matter. */
  readonly admitsAll: boolean
  /** True for a filter that nothing can pass, so nothing need be read. */
  readonly nothing: boolean
  admitsRoom(roomId: string): boolean
  admits(event: Filterable): boolean
}

/** NOTSPEC: filters by what an event is to another one (MSC3874). */
export const REL_TYPES = 'org.matrix.msc3874.rel_types'
export const NOT_REL_TYPES = 'org.matrix.msc3874.not_rel_types'

function relTypeOf(content: JsonObject): string | undefined {
  const relation = ownValue(content, 'm.relates_to')
  const relType = isObject(relation) ? ownValue(relation, 'rel_type') : undefined
  return typeof relType === 'string' ? relType : undefined
}

const stringList = (value: Json | undefined): readonly string[] | undefined =>
  Array.isArray(value) ? (value as readonly Json[]).filter((item) => typeof item === 'string') : undefined

function typeMatcher(patterns: readonly string[] | undefined): ((type: string) => boolean) | undefined {
  if (patterns === undefined) return undefined
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  // `*` is the only wildcard here: a question mark stands for itself.
  const globs = patterns
    .filter((pattern) => pattern.includes('*'))
    .map((pattern) => globWithStarOnly(pattern))
  return (type) => exact.has(type) || globs.some((matches) => matches(type))
}

function globWithStarOnly(pattern: string): (text: string) => boolean {
  if (!pattern.includes('?')) return compileGlob(pattern)
  const parts = pattern.split('*')
  return (text) => {
    if (!text.startsWith(parts[0]!)) return false
    let at = parts[0]!.length
    for (const part of parts.slice(1, -1)) {
      const found = text.indexOf(part, at)
      if (found === -1) return false
      at = found + part.length
    }
    const last = parts.at(-1)!
    return text.length - last.length >= at && text.endsWith(last)
  }
}

/**
 * Compiles a filter object; absent members admit everything. What is malformed was refused where it was stored.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#filtering
 */
export function compileEventFilter(json: Json | undefined): EventFilter {
  const filter = isObject(json) ? json : {}
  const types = typeMatcher(stringList(filter['types']))
  const notTypes = typeMatcher(stringList(filter['not_types']))
  const setOf = (key: string): ReadonlySet<string> | undefined => {
    const list = stringList(filter[key])
    return list === undefined ? undefined : new Set(list)
  }
  const senders = setOf('senders')
  const notSenders = setOf('not_senders')
  const rooms = setOf('rooms')
  const notRooms = setOf('not_rooms')
  const relTypes = setOf(REL_TYPES)
  const notRelTypes = setOf(NOT_REL_TYPES)
  const containsUrl = filter['contains_url']
  const limit = filter['limit']
  const admitsRoom = (roomId: string): boolean =>
    (rooms === undefined || rooms.has(roomId)) && notRooms?.has(roomId) !== true
  return {
    limit: typeof limit === 'number' ? limit : undefined,
    lazyLoadMembers: filter['lazy_load_members'] === true,
    unreadThreadNotifications: filter['unread_thread_notifications'] === true,
    nothing:
      stringList(filter['types'])?.length === 0 ||
      senders?.size === 0 ||
      rooms?.size === 0 ||
      relTypes?.size === 0 ||
      limit === 0,
    admitsAll:
      types === undefined &&
      notTypes === undefined &&
      senders === undefined &&
      notSenders === undefined &&
      relTypes === undefined &&
      notRelTypes === undefined &&
      typeof containsUrl !== 'boolean',
    admitsRoom,
    admits(event) {
      if (types?.(event.type) === false || notTypes?.(event.type) === true) return false
      if (senders !== undefined && (event.sender === undefined || !senders.has(event.sender))) return false
      if (event.sender !== undefined && notSenders?.has(event.sender) === true) return false
      if (event.roomId !== undefined && !admitsRoom(event.roomId)) return false
      if (relTypes !== undefined || notRelTypes !== undefined) {
        const relType = relTypeOf(event.content)
        if (relTypes !== undefined && (relType === undefined || !relTypes.has(relType))) return false
        if (relType !== undefined && notRelTypes?.has(relType) === true) return false
      }
      return typeof containsUrl !== 'boolean' || (typeof event.content['url'] === 'string') === containsUrl
    },
  }
}
