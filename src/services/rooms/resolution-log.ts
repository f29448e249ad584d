import type { Logger } from '../../platform/logger.js'
import type { Pending, WorkingRoom } from './working-room.js'

/** Changes named in one line of the log; more are counted. */
const MAX_NAMED = 20

/** Tells an operator which changes of a room's state no event brought but state resolution: ids and types, no content. */
export function logResolutions(logger: Logger, room: WorkingRoom, pending: readonly Pending[]): void {
  for (const { stored, fromResolution = [] } of pending) {
    if (fromResolution.length === 0) continue
    logger.info(
      {
        roomId: room.roomId,
        eventId: stored.event.id,
        heads: room.heads.length,
        count: fromResolution.length,
        changes: fromResolution.slice(0, MAX_NAMED).map(({ type, before, after }) => ({
          type,
          before: before?.event.id ?? null,
          after: after?.event.id ?? null,
        })),
      },
      'state resolution changed the state of a room',
    )
  }
}
