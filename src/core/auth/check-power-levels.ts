import { isUserId } from '../ids/user-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { readLevel } from './level.js'
import { powerLevels } from './power-levels.js'
import { additionalCreators, type StateLookup } from './state-lookup.js'

const NAMED = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const

/** Rule 10 (9 or 10 in older room versions): `m.room.power_levels`. SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules */
export function checkPowerLevels(event: RoomEvent, state: StateLookup, create: RoomEvent): Verdict {
  const { content, rules } = event
  const shape = checkShape(content, rules)
  if (!shape.ok) return shape
  if (rules.creator === 'privileged') {
    const users = mapIn(content, 'users')
    for (const creator of [create.sender, ...additionalCreators(create)]) {
      if (Object.hasOwn(users, creator)) {
        return refuse('power_levels.creators', 'the power of a creator cannot be set')
      }
    }
  }
  // An event of this type under another state key is no power levels event that could have a predecessor.
  const current = event.stateKey === '' ? state('m.room.power_levels', '') : undefined
  return current === undefined
    ? ALLOW
    : checkChanges(current.content, content, event, powerLevels(state).user(event.sender))
}

function checkShape(content: JsonObject, rules: RoomVersionRules): Verdict {
  if (rules.powerLevels === 'integers') {
    for (const name of NAMED) {
      if (Object.hasOwn(content, name) && readLevel(content[name], rules) === undefined) {
        return refuse('power_levels.integer', `${name} is not an integer`)
      }
    }
    for (const name of ['events', 'notifications']) {
      if (Object.hasOwn(content, name) && !isLevelMap(content[name], rules)) {
        return refuse('power_levels.map', `${name} is not a map of integers`)
      }
    }
  }
  if (Object.hasOwn(content, 'users')) {
    const users = content['users']
    if (!isLevelMap(users, rules) || !Object.keys(users).every(isUserId)) {
      return refuse('power_levels.users', 'users is not a map of user ids to levels')
    }
  }
  return ALLOW
}

function isLevelMap(value: Json | undefined, rules: RoomVersionRules): value is JsonObject {
  return isObject(value) && Object.values(value).every((level) => readLevel(level, rules) !== undefined)
}

const NOTHING: JsonObject = {}
function mapIn(content: JsonObject, name: string): JsonObject {
  const map = ownValue(content, name)
  return isObject(map) ? map : NOTHING
}

/** Nobody changes what is above them, nor gives more than they have. */
function checkChanges(current: JsonObject, next: JsonObject, event: RoomEvent, own: number): Verdict {
  const maps = event.rules.limitNotificationsPowerLevels ? ['events', 'notifications'] : ['events']
  for (const change of changes(pickNamed(current), pickNamed(next), event.rules)) {
    if (isAbove(change, own)) return refuse('power_levels.level', `${change.key} is above the sender’s level`)
  }
  for (const name of maps) {
    for (const change of changes(mapIn(current, name), mapIn(next, name), event.rules)) {
      if (isAbove(change, own)) {
        return refuse(`power_levels.${name}`, `a level in ${name} is above the sender’s level`)
      }
    }
  }
  for (const change of changes(mapIn(current, 'users'), mapIn(next, 'users'), event.rules)) {
    const { key, from } = change
    if (key !== event.sender && typeof from === 'number' && from >= own) {
      return refuse('power_levels.users.equal', 'the level of a user who is not below the sender is changed')
    }
    if (isAbove(change, own))
      return refuse('power_levels.users.level', 'the new level is above the sender’s level')
  }
  return ALLOW
}

/** Levels before and after: undefined where there was or is none, `unreadable` where it is no level. */
interface Change {
  readonly key: string
  readonly from: number | 'unreadable' | undefined
  readonly to: number | 'unreadable' | undefined
}

function changes(current: JsonObject, next: JsonObject, rules: RoomVersionRules): readonly Change[] {
  const level = (map: JsonObject, key: string): Change['to'] =>
    Object.hasOwn(map, key) ? (readLevel(map[key], rules) ?? 'unreadable') : undefined
  const found: Change[] = []
  for (const key of new Set([...Object.keys(current), ...Object.keys(next)])) {
    const from = level(current, key)
    const to = level(next, key)
    if (from !== to) found.push({ key, from, to })
  }
  return found
}

/**
 * NOTSPEC: a level that cannot be read (old room versions do not forbid them) may go, but not come: the specification
 * does not say how to compare it.
 */
function isAbove({ from, to }: Change, own: number): boolean {
  return (
    to === 'unreadable' || (typeof from === 'number' && from > own) || (typeof to === 'number' && to > own)
  )
}

function pickNamed(content: JsonObject): JsonObject {
  const out: Record<string, Json> = {}
  for (const name of NAMED) {
    if (Object.hasOwn(content, name)) out[name] = content[name] as Json
  }
  return out
}
