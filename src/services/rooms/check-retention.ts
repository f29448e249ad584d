import { MatrixError } from '../../core/errors.js'
import type { RoomEvent } from '../../core/event/types.js'
import { refusedRetention } from '../../core/retention.js'
import { lifetimesIn, RETENTION_KEYS, type RoomRetention } from './room-retention.js'
import { mapKey, stateEvents, type RoomReaders, type WorkingRoom } from './working-room.js'

/** Throws M_FORBIDDEN with `retention.bounds` for a lifetime that rooms of this kind cannot have here. */
export async function checkRetention(
  room: WorkingRoom,
  event: RoomEvent,
  readers: RoomReaders,
  { policy }: RoomRetention,
): Promise<void> {
  const state = await stateEvents(room, RETENTION_KEYS, readers)
  const bounds = lifetimesIn(policy, (type) => state.get(mapKey({ type, stateKey: '' }))?.event.content)
  const why = refusedRetention(event.content, bounds)
  if (why !== undefined) throw new MatrixError('M_FORBIDDEN', why, { reason: 'retention.bounds' })
}
