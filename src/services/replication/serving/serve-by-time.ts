import { notFound } from '../../../core/errors.js'
import type { RoomsContext } from '../../rooms/context.js'
import { isStoredExpired } from '../../rooms/room-retention.js'
import { nearestEvent } from '../../timeline/nearest-event.js'
import { serverMayRead } from '../../timeline/visibility.js'
import { sharedRoom } from './serve-checks.js'

/**
 * The event of a room next to a moment, for servers with a user in it: of what is here, and of what they may see. Throws M_NOT_FOUND,
 * M_FORBIDDEN.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
 */
export type EventByTimeServing = (
  origin: string,
  input: { readonly roomId: string; readonly ts: number; readonly dir: 'f' | 'b' },
) => Promise<{ readonly event_id: string; readonly origin_server_ts: number }>

export function createEventByTimeServing(context: RoomsContext): EventByTimeServing {
  return async (origin, { roomId, ts, dir }) => {
    const room = await sharedRoom(context, roomId, origin)
    const readable = new Map<string | undefined, Promise<boolean>>()
    const horizon = (await context.retention?.horizonOf(room)) ?? 0
    const found = await nearestEvent(context, room, ts, dir, (event) => {
      if (isStoredExpired(event, horizon)) return Promise.resolve(false)
      const may = readable.get(event.stateAfter) ?? serverMayRead(context, room, origin, event)
      readable.set(event.stateAfter, may)
      return may
    })
    if (found === undefined) throw notFound('There is no event in that direction')
    return { event_id: found.event.id, origin_server_ts: found.event.originServerTs }
  }
}
