import { aclDenies } from '../../../core/server-acl.js'
import { readStateEvent, type RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'

/** Whether the room's server ACL, as it is now, shuts a server out. */
export async function isShutOut(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
  serverName: string,
): Promise<boolean> {
  const acl = await readStateEvent(context, room, 'm.room.server_acl', '')
  return acl !== undefined && aclDenies(acl.event.content, serverName)
}
