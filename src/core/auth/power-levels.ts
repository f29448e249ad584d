import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { RoomEvent } from '../event/types.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { readLevel } from './level.js'
import { creatorOf, isPrivilegedCreator, type StateLookup } from './state-lookup.js'

/** The levels of a room. Read from its events as asked for: making one is cheap. */
export interface PowerLevels {
  /** A user's level; `Infinity` for the creators of a room of version 12. */
  user(userId: string): number
  /** The level that sending an event of a type takes. */
  event(type: string, isState: boolean): number
  readonly invite: number
  readonly kick: number
  readonly ban: number
  readonly redact: number
  /** The level that a kind of notification takes, e.g. `room`. */
  notification(kind: string): number
}

const DEFAULTS = {
  invite: 0,
  kick: 50,
  ban: 50,
  redact: 50,
  state_default: 50,
  events_default: 0,
  users_default: 0,
}

/** The power levels in a state. */
export function powerLevels(state: StateLookup): PowerLevels {
  return powerLevelsOf(state('m.room.create', ''), state('m.room.power_levels', ''))
}

/**
 * The power levels that two events make: with no power levels event the creator has 100, everybody else 0.
 * A level that cannot be read counts as left out; the auth rules let few of them into a room.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels
 */
export function powerLevelsOf(create: RoomEvent | undefined, levels: RoomEvent | undefined): PowerLevels {
  const rules = levels?.rules ?? create?.rules
  const content = levels?.content ?? {}
  const named = (name: keyof typeof DEFAULTS): number => levelIn(content, name, rules) ?? DEFAULTS[name]
  const nested = (map: string, key: string): number | undefined => {
    const object = ownValue(content, map)
    return isObject(object) ? levelIn(object, key, rules) : undefined
  }
  return {
    user(userId) {
      if (create !== undefined && isPrivilegedCreator(create, userId)) return Infinity
      if (levels !== undefined) return nested('users', userId) ?? named('users_default')
      return create !== undefined && creatorOf(create) === userId ? 100 : 0
    },
    event: (type, isState) => nested('events', type) ?? named(isState ? 'state_default' : 'events_default'),
    get invite() {
      return named('invite')
    },
    get kick() {
      return named('kick')
    },
    get ban() {
      return named('ban')
    },
    get redact() {
      return named('redact')
    },
    notification: (kind) => nested('notifications', kind) ?? 50,
  }
}

function levelIn(object: JsonObject, key: string, rules: RoomVersionRules | undefined): number | undefined {
  const value: Json | undefined = ownValue(object, key)
  return value === undefined || rules === undefined ? undefined : readLevel(value, rules)
}
