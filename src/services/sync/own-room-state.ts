import type { Json } from '../../core/json/value.js'
import type { OwnRoom } from '../../storage/tables/own-rooms.js'
import type { RoomsContext } from '../rooms/context.js'
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
