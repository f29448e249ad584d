import type { RoomVersionRules } from '../room-version/rules.js'
import type { StateKey } from './state-key.js'

/** A room's state: the id of one event for each key. */
export type StateMap = ReadonlyMap<StateKey, string>

export interface SeparatedState {
  readonly unconflicted: StateMap
  /** For each key that the states disagree on, the distinct events that they have for it. */
  readonly conflicted: ReadonlyMap<StateKey, ReadonlySet<string>>
}

/**
 * Divides states into what all agree on and the rest. A key that some states lack is conflicted, except in room
 * version 1, where only different events for a key are a conflict.
 */
export function separate(states: readonly StateMap[], rules: RoomVersionRules): SeparatedState {
  const found = new Map<StateKey, { readonly ids: Set<string>; holders: number }>()
  for (const state of states) {
    for (const [key, id] of state) {
      const entry = found.get(key)
      if (entry === undefined) {
        found.set(key, { ids: new Set([id]), holders: 1 })
      } else {
        entry.ids.add(id)
        entry.holders++
      }
    }
  }
  const unconflicted = new Map<StateKey, string>()
  const conflicted = new Map<StateKey, ReadonlySet<string>>()
  for (const [key, { ids, holders }] of found) {
    const agreed = ids.size === 1 && (holders === states.length || rules.stateResolution === 'v1')
    if (agreed) for (const id of ids) unconflicted.set(key, id)
    else conflicted.set(key, ids)
  }
  return { unconflicted, conflicted }
}
