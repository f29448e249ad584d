import { aclDenies } from '../../core/server-acl.js'
import { readStateEvent, type RoomsContext } from '../rooms/context.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

/** Whether this server takes part in a room: it has a state of it, and somebody there. */
export async function isResident(
  context: Pick<RoomsContext, 'rosters'>,
  room: RoomSnapshot | undefined,
): Promise<boolean> {
  return room?.root !== undefined && (await context.rosters.of(room.nid)).local.size > 0
}

/** Whether the room's server ACL, as it is now, shuts a server out. */
export async function isShutOut(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
  serverName: string,
): Promise<boolean> {
  const acl = await readStateEvent(context, room, 'm.room.server_acl', '')
  return acl !== undefined && aclDenies(acl.event.content, serverName)
}
