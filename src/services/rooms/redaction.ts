import { powerLevelsOf } from '../../core/auth/power-levels.js'
import { redactionApplies } from '../../core/auth/redaction.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { NodeName } from '../../core/state-trie/node.js'
import { mapKey, stateEvents, type RoomReaders, type WorkingRoom } from './working-room.js'

const CREATE = { type: 'm.room.create', stateKey: '' }
const POWER_LEVELS = { type: 'm.room.power_levels', stateKey: '' }

/** Whether a redaction takes effect, judged on the state before it. */
export async function mayRedact(
  room: WorkingRoom,
  redaction: RoomEvent,
  target: RoomEvent,
  readers: RoomReaders,
  root: NodeName | undefined = room.root,
): Promise<boolean> {
  const state = await stateEvents(room, [CREATE, POWER_LEVELS], readers, root)
  const levels = powerLevelsOf(state.get(mapKey(CREATE))?.event, state.get(mapKey(POWER_LEVELS))?.event)
  return redactionApplies(redaction, target, levels)
}
