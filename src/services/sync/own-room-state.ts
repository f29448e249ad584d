import type { Json } from '../../core/json/value.js'
import type { OwnRoom } from '../../storage/tables/own-rooms.js'
import type { RoomsContext } from '../rooms/context.js'
import { lastDeparture } from '../rooms/member-history.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import { strippedStateFor } from '../rooms/stripped-state.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

/**
 * The room with the state that the row brought. What is cached may be older than the answer's position: between the
 * commit of an event and the moment that this process hears of it. A client would then miss a change for ever.
 */
export async function roomOfRow(context: RoomsContext, row: OwnRoom): Promise<RoomSnapshot | undefined> {
  const room = await context.loader.load(row.room_id)
  return room === undefined ? undefined : { ...room, root: row.state_root ?? undefined }
}

/** What somebody invited or knocking is told of the room. */
export async function strippedState(context: RoomsContext, row: OwnRoom): Promise<Json[]> {
  if (row.stripped_state !== null) return JSON.parse(row.stripped_state) as Json[]
  const room = await roomOfRow(context, row)
  return room === undefined ? [] : strippedStateFor(context, room, row.user_id, row.sender)
}

/** How somebody who is not in a room came out of it. */
export interface WayOut {
  readonly room: RoomSnapshot | undefined
  /** The member event that holds now. */
  readonly own: StoredEvent | undefined
  /** The end of their latest time in the room; undefined for those who never were in it. */
  readonly departure: Awaited<ReturnType<typeof lastDeparture>>
}

/** Pre: the row is that of somebody who has left, was put out or banned. */
export async function wayOut(context: RoomsContext, row: OwnRoom, upTo: number): Promise<WayOut> {
  const room = await roomOfRow(context, row)
  const own =
    row.event_nid === null ? undefined : (await context.events.byNids([row.event_nid])).get(row.event_nid)
  const departure =
    own === undefined || room?.root === undefined
      ? undefined
      : await lastDeparture(context, room.nid, row.user_id, upTo)
  return { room, own, departure }
}
