import { powerLevelsOf, type PowerLevels } from '../../core/auth/power-levels.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { StoredEvent } from './stored-event.js'
import { mapKey, stateEvents, type RoomReaders, type WorkingRoom } from './working-room.js'

export const CREATE = { type: 'm.room.create', stateKey: '' }
export const POWER_LEVELS = { type: 'm.room.power_levels', stateKey: '' }
/** The state that power levels follow from. */
export const POWER_KEYS = [CREATE, POWER_LEVELS]

/** The power levels in what was read of a state by `POWER_KEYS`, and by others or not. */
export const powerLevelsIn = (state: ReadonlyMap<string, StoredEvent>): PowerLevels =>
  powerLevelsOf(state.get(mapKey(CREATE))?.event, state.get(mapKey(POWER_LEVELS))?.event)

/** The power levels in a state of a room that is being written; by default in the newest. */
export async function workingPowerLevels(
  room: WorkingRoom,
  readers: RoomReaders,
  root: NodeName | undefined = room.root,
): Promise<PowerLevels> {
  return powerLevelsIn(await stateEvents(room, POWER_KEYS, readers, root))
}
