import { appendTo } from '../../core/append-to.js'
import { MatrixError } from '../../core/errors.js'
import { joinedGuests, joinedGuestsOf } from '../../storage/tables/memberships.js'
import type { Requester } from '../requester.js'
import { readStateEvent, type RoomsContext } from './context.js'
import type { RoomSnapshot } from './working-room.js'

/**
 * Guests are in rooms that let guests in, and nowhere else.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#guest-access
 */
export interface Guests {
  /** After the room's rule for guests changed: those who may no longer be there leave. */
  checkRoom(roomId: string): Promise<void>
  /** Job: the same for all rooms, as a crash may come between a change and its consequence. */
  checkAll(): Promise<void>
}

const GUEST_ACCESS = 'm.room.guest_access'

async function admitsGuests(context: RoomsContext, room: RoomSnapshot | undefined): Promise<boolean> {
  if (room?.root === undefined) return false
  const rule = await readStateEvent(context, room, GUEST_ACCESS, '')
  return rule?.event.content['guest_access'] === 'can_join'
}

/** Throws M_GUEST_ACCESS_FORBIDDEN for guests where the room does not let them in, or is not here. */
export async function refuseGuest(
  context: RoomsContext,
  requester: Requester,
  room: RoomSnapshot | undefined,
): Promise<void> {
  if (requester.isGuest && !(await admitsGuests(context, room)))
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may not join this room')
}

export function createGuests(deps: {
  readonly context: RoomsContext
  /** Takes the user out of the room. */
  leave(userId: string, roomId: string): Promise<void>
}): Guests {
  const { context } = deps

  async function remove(roomId: string, userIds: readonly string[]): Promise<void> {
    if (userIds.length === 0 || (await admitsGuests(context, await context.loader.load(roomId)))) return
    for (const userId of userIds) {
      try {
        await deps.leave(userId, roomId)
      } catch (error) {
        context.logger.warn({ err: error, roomId, userId }, 'a guest could not be taken out of a room')
      }
    }
  }

  return {
    async checkRoom(roomId) {
      const room = await context.loader.load(roomId)
      if (room === undefined) return
      await remove(roomId, await context.store.read('guests.room', () => joinedGuestsOf(room.nid)))
    },
    async checkAll() {
      const rows = await context.store.read('guests.all', () => joinedGuests())
      const guests = new Map<string, string[]>()
      for (const { room_id: roomId, user_id: userId } of rows) appendTo(guests, roomId, userId)
      for (const [roomId, userIds] of guests) await remove(roomId, userIds)
    },
  }
}
