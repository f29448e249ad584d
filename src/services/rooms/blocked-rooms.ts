import { forbidden, invalidParam } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { roomBlockedBy } from '../../storage/tables/blocked-rooms.js'
import type { RoomsContext } from './context.js'

/** Throws M_INVALID_PARAM for what is no room id. */
export function checkRoomId(roomId: string): void {
  if (!isRoomId(roomId)) throw invalidParam('This is not a room id')
}

/**
 * Throws M_FORBIDDEN for a room that an administrator of this server has blocked, or a list that it trusts: nobody of it comes in; and for users who
 * are on such a list.
 */
export async function refuseBlocked(
  { store, policies }: Pick<RoomsContext, 'store' | 'policies'>,
  roomId: string,
  ...userIds: readonly string[]
): Promise<void> {
  if ((await store.read('rooms.blocked', () => roomBlockedBy(roomId))) !== undefined)
    throw forbidden('This room is blocked on this server')
  await policies?.checkRoom(roomId)
  for (const userId of userIds) await policies?.checkUser(userId)
}
