import type { RoomEvent } from '../event/types.js'
import { iterativeAuth } from './iterative-auth.js'
import { mainlineSort } from './mainline.js'
import { powerSort } from './power-sort.js'
import type { Resolution, Resolved } from './resolution.js'
import { stateKey, type StateKey } from './state-key.js'

/**
 * State resolution v2, and v2.1, which begins with nothing instead of the unconflicted state.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v2/#state-resolution, https://spec.matrix.org/v1.19/rooms/v12/#state-resolution
 */
export function resolveV2(resolution: Resolution): Resolved {
  const full = fullConflictedSet(resolution)
  const base = resolution.rules.stateResolution === 'v2.1' ? () => undefined : resolution.unconflicted
  const resolved = new Map<StateKey, string>()

  const power = powerSort(full, resolution.event)
  iterativeAuth(power, resolved, base, resolution)

  const done = new Set(power.map((event) => event.id))
  const others = [...full.values()].filter((event) => !done.has(event.id))
  const levelsKey = stateKey('m.room.power_levels', '')
  const levelsId = resolved.get(levelsKey) ?? base(levelsKey)
  const levels = levelsId === undefined ? undefined : resolution.event(levelsId)
  iterativeAuth(mainlineSort(others, levels, resolution.event), resolved, base, resolution)

  for (const key of resolved.keys()) {
    if (resolution.unconflicted(key) !== undefined) resolved.delete(key)
  }
  return resolved
}

function fullConflictedSet({
  conflicted,
  authDifference,
  event,
}: Resolution): ReadonlyMap<string, RoomEvent> {
  const full = new Map<string, RoomEvent>()
  const add = (ids: Iterable<string>): void => {
    for (const id of ids) {
      const found = event(id)
      if (found !== undefined) full.set(id, found)
    }
  }
  for (const ids of conflicted.values()) add(ids)
  add(authDifference)
  return full
}
