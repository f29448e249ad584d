import { ACCESS_RULES } from '../../core/access-rules/room-access.js'
import { strippedEvent } from '../../core/event/client-view.js'
import type { JsonObject } from '../../core/json/value.js'
import { readState, type RoomsContext } from './context.js'
import type { StoredEvent } from './stored-event.js'
import type { RoomSnapshot } from './working-room.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#stripped-state */
const SHOWN = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
  // Not the specification's: whom the room is for, which the servers of a closed circle must know.
  ACCESS_RULES.type,
]

/** The events of a room that someone invited to it or knocking at it may know. */
export async function strippedStateEvents(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
): Promise<StoredEvent[]> {
  const state = await readState(
    context,
    room,
    SHOWN.map((type) => ({ type, stateKey: '' })),
  )
  return [...state.values()]
}

/**
 * The same as a client sees it in `/sync`, with the membership event itself and the inviter's.
 *
 * NOTSPEC: the membership event has its id and its time too: clients sort invites by the time.
 */
export async function strippedStateFor(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
  userId: string,
  inviter: string,
): Promise<JsonObject[]> {
  const members = [...new Set([inviter, userId])].map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const state = await strippedStateEvents(context, room)
  const named = [...(await readState(context, room, members)).values()]
  return [...state, ...named].map((stored) => ({
    ...strippedEvent(stored.event),
    ...(stored.event.stateKey === userId
      ? { event_id: stored.event.id, origin_server_ts: stored.event.originServerTs }
      : {}),
  }))
}
