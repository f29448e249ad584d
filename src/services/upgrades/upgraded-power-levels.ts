import { readLevel } from '../../core/auth/level.js'
import { additionalCreators, creatorOf } from '../../core/auth/state-lookup.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isUserId } from '../../core/ids/user-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'

export interface UpgradedPowerLevels {
  /** What the old room has, as the new version writes it. */
  readonly lasting: JsonObject
  /** The same, with enough power for the one who sets the new room up. */
  readonly working: JsonObject
}

const NAMED: Readonly<Record<string, number>> = {
  users_default: 0,
  events_default: 0,
  state_default: 50,
  ban: 50,
  kick: 50,
  redact: 50,
  invite: 0,
}
/** Above every ordinary administrator. SPEC: https://spec.matrix.org/v1.19/rooms/v12/ */
const TOMBSTONE_LEVEL = 150
const ADMIN = 100

/**
 * The power levels of a room's successor. Pre: `creators` holds who makes the new room and its additional creators.
 * Creators of version 12 are in no list of users: what power they had is written down for a version without such creators, and
 * struck out for one with them.
 */
export function upgradedPowerLevels(
  old: { readonly create: RoomEvent; readonly levels: RoomEvent | undefined },
  rules: RoomVersionRules,
  upgrader: string,
  creators: ReadonlySet<string>,
): UpgradedPowerLevels {
  const before = old.create.rules
  const content = old.levels?.content ?? {}
  const named = Object.fromEntries(
    Object.entries(NAMED).map(([name, level]) => [name, levelOf(ownValue(content, name), before) ?? level]),
  )
  const events = levelsIn(ownValue(content, 'events'), before)
  const users = new Map([...levelsIn(ownValue(content, 'users'), before)].filter(([user]) => isUserId(user)))
  if (old.levels === undefined && before.creator !== 'privileged') {
    const creator = creatorOf(old.create)
    if (creator !== undefined) users.set(creator, ADMIN)
  }
  const needed = Math.max(ADMIN, named['state_default']!, named['ban']!, ...events.values())
  const isPrivileged = rules.creator === 'privileged'
  if (before.creator === 'privileged' && !isPrivileged) {
    for (const user of [old.create.sender, ...additionalCreators(old.create)]) users.set(user, needed)
  }
  if (isPrivileged) {
    for (const user of creators) users.delete(user)
    if (before.creator !== 'privileged') {
      const level = Math.max(
        events.get('m.room.tombstone') ?? 0,
        TOMBSTONE_LEVEL,
        named['state_default']! + 1,
      )
      events.set('m.room.tombstone', level)
    }
  }
  const notifications = levelsIn(ownValue(content, 'notifications'), before)
  const write = (people: ReadonlyMap<string, number>): JsonObject => ({
    ...named,
    users: Object.fromEntries(people),
    events: Object.fromEntries(events),
    ...(notifications.size > 0 ? { notifications: Object.fromEntries(notifications) } : {}),
  })
  const own = users.get(upgrader) ?? named['users_default']!
  const lasting = write(users)
  const suffices = isPrivileged || own >= needed
  return { lasting, working: suffices ? lasting : write(new Map(users).set(upgrader, needed)) }
}

/** A level that every version writes. */
function levelOf(value: Json | undefined, rules: RoomVersionRules): number | undefined {
  const level = readLevel(value, rules)
  return level === undefined
    ? undefined
    : Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, level))
}

function levelsIn(value: Json | undefined, rules: RoomVersionRules): Map<string, number> {
  const levels = new Map<string, number>()
  for (const [key, item] of isObject(value) ? Object.entries(value) : []) {
    const level = levelOf(item, rules)
    if (level !== undefined) levels.set(key, level)
  }
  return levels
}

/**
 * The old room's levels once it is replaced: who could merely speak can neither speak nor invite. Undefined where nothing
 * changes. SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-17
 */
export function silencedPowerLevels(levels: RoomEvent): JsonObject | undefined {
  const { content, rules } = levels
  const levelFor = (name: string): number => levelOf(ownValue(content, name), rules) ?? NAMED[name]!
  const raised = Math.max(50, levelFor('users_default') + 1)
  const changes = ['events_default', 'invite'].filter((name) => levelFor(name) < raised)
  if (changes.length === 0) return undefined
  return { ...content, ...Object.fromEntries(changes.map((name) => [name, raised])) }
}
