import { forbidden, invalidParam } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { roomBlockedBy } from '../../storage/tables/blocked-rooms.js'
import type { Store } from '../../storage/tx.js'

/** Throws M_INVALID_PARAM for what is no room id. */
export function checkRoomId(roomId: string): void {
  if (!isRoomId(roomId)) throw invalidParam('This is not a room id')
}

/** Throws M_FORBIDDEN for a room that an administrator of this server has blocked: nobody of it comes in. */
export async function refuseBlocked(store: Store, roomId: string): Promise<void> {
  if ((await store.read('rooms.blocked', () => roomBlockedBy(roomId))) !== undefined)
    throw forbidden('This room is blocked on this server')
}
