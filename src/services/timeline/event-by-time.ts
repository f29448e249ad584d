import { notFound } from '../../core/errors.js'
import { gapDepth } from '../../storage/tables/events.js'
import type { RoomsContext } from '../rooms/context.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { Viewer } from './client-view.js'
import { nearestEvent } from './nearest-event.js'
import { NEWEST } from './places.js'
import { accessOf } from './room-access.js'

export interface TimeInput {
  readonly roomId: string
  /** Milliseconds since 1970. */
  readonly ts: number
  readonly dir: 'f' | 'b'
}

export interface EventByTime {
  /**
   * The event next to a moment. Other servers are asked where history is missing there. Throws M_FORBIDDEN for rooms that the user may not
   * read, M_NOT_FOUND where there is none.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event
   */
  find(
    viewer: Viewer,
    input: TimeInput,
  ): Promise<{ readonly event_id: string; readonly origin_server_ts: number }>
}

export interface EventByTimeDeps {
  readonly context: RoomsContext
  /**
   * Gets an event that is nearer to the moment than `known` milliseconds (undefined: any) from other servers and puts it in its place; true
   * when one came. Bounded in time.
   */
  fetch(
    roomId: string,
    input: { readonly ts: number; readonly dir: 'f' | 'b'; readonly known: number | undefined },
  ): Promise<boolean>
}

const anything = (): Promise<boolean> => Promise.resolve(true)

export function createEventByTime({ context, fetch }: EventByTimeDeps): EventByTime {
  /** Whether predecessors of an event are missing between what is known before the moment and what is known after it. */
  async function isInGap(room: RoomSnapshot, ts: number): Promise<boolean> {
    const earlier = await nearestEvent(context, room, ts, 'b', anything)
    const later = await nearestEvent(context, room, ts, 'f', anything)
    const low = earlier?.event.depth ?? 0
    const high = later?.event.depth ?? NEWEST.depth
    const depth = await context.store.read('timeline.hole', () =>
      gapDepth(room.nid, Math.min(low, high), Math.max(low, high), 'b'),
    )
    return depth !== undefined
  }

  return {
    async find(viewer, { roomId, ts, dir }) {
      const { room, row, reader } = await accessOf(context, viewer, roomId)
      let found = await nearestEvent(context, room, ts, dir, reader.mayRead)
      if (row?.membership === 'join' && found?.event.originServerTs !== ts && (await isInGap(room, ts))) {
        const known = found === undefined ? undefined : Math.abs(found.event.originServerTs - ts)
        if (await fetch(roomId, { ts, dir, known }))
          found = await nearestEvent(context, room, ts, dir, reader.mayRead)
      }
      if (found === undefined) throw notFound('There is no event in that direction')
      return { event_id: found.event.id, origin_server_ts: found.event.originServerTs }
    },
  }
}
