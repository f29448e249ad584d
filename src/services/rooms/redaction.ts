import { redactionApplies } from '../../core/auth/redaction.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { NodeName } from '../../core/state-trie/node.js'
import { type RoomReaders, type WorkingRoom } from './working-room.js'
import { workingPowerLevels } from './room-power.js'

/** Whether a redaction takes effect, judged on the state before it, `root`. */
export async function mayRedact(
  room: WorkingRoom,
  redaction: RoomEvent,
  target: RoomEvent,
  readers: RoomReaders,
  root: NodeName | undefined,
): Promise<boolean> {
  return redactionApplies(redaction, target, await workingPowerLevels(room, readers, root))
}
