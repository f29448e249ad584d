import { readLevel } from '../auth/level.js'
import { powerLevelsOf } from '../auth/power-levels.js'
import { additionalCreators } from '../auth/state-lookup.js'
import type { RoomEvent } from '../event/types.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'

/** What becomes of a room whose last administrator wants to leave: nothing; they are kept; others get their powers. */
export type LastAdministratorRule = 'allow' | 'refuse' | 'hand-over'

/** The level from which on somebody administers a room: they can change what others may. */
export const ADMINISTRATOR = 100

/** What says who has power in a room. */
export interface PowerState {
  readonly create: RoomEvent | undefined
  readonly levels: RoomEvent | undefined
}

/** What users are given by name: their level, the highest first. Creators of a room of version 12 have power without limit. */
function named({ create, levels }: PowerState): { readonly userId: string; readonly level: number }[] {
  const power = powerLevelsOf(create, levels)
  const users = levels === undefined ? undefined : ownValue(levels.content, 'users')
  const ids = new Set(isObject(users) ? Object.keys(users) : [])
  if (create !== undefined) {
    ids.add(create.sender)
    if (create.rules.creator === 'privileged')
      for (const userId of additionalCreators(create)) ids.add(userId)
  }
  return [...ids]
    .map((userId) => ({ userId, level: power.user(userId) }))
    .toSorted((a, b) => b.level - a.level || (a.userId < b.userId ? -1 : 1))
}

/** Who would administer the room, were they in it; undefined where everybody does. */
export function administratorsOf(state: PowerState): readonly string[] | undefined {
  // Somebody who stands in no event.
  if (powerLevelsOf(state.create, state.levels).user('') >= ADMINISTRATOR) return undefined
  return named(state)
    .filter(({ level }) => level >= ADMINISTRATOR)
    .map(({ userId }) => userId)
}

/** Who has more power than everybody has, without administering the room: groups of the same level, the highest first. */
export function moderatorsOf(state: PowerState): readonly (readonly string[])[] {
  const least = powerLevelsOf(state.create, state.levels).user('')
  const groups = new Map<number, string[]>()
  for (const { userId, level } of named(state)) {
    if (level <= least || level >= ADMINISTRATOR) continue
    groups.set(level, [...(groups.get(level) ?? []), userId])
  }
  return [...groups.values()]
}

/**
 * The levels by which heirs administer the room as `giver` did: with the least level that suffices for all that the levels mention, an upgrade too, and no
 * more than the giver has. Pre: the giver administers the room.
 */
export function handedOver(state: PowerState, giver: string, heirs: readonly string[]): JsonObject {
  const { create, levels } = state
  const rules = (levels ?? create)?.rules
  const content = levels?.content ?? {}
  const numbers = (value: Json | undefined): number[] => {
    const level = value === undefined || rules === undefined ? undefined : readLevel(value, rules)
    return level === undefined ? [] : [level]
  }
  const events = ownValue(content, 'events')
  const single = ['ban', 'kick', 'redact', 'invite', 'state_default', 'events_default']
  const needed = Math.max(
    ADMINISTRATOR,
    ...single.flatMap((name) => numbers(ownValue(content, name))),
    ...(isObject(events) ? Object.values(events).flatMap(numbers) : []),
  )
  const level = Math.min(powerLevelsOf(create, levels).user(giver), needed)
  const users = ownValue(content, 'users')
  return {
    ...content,
    users: {
      ...(isObject(users) ? users : {}),
      ...Object.fromEntries(heirs.map((userId) => [userId, level])),
    },
  }
}
