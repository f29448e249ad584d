import { MatrixError, forbidden } from '../../core/errors.js'
import type { MembershipRow } from '../../storage/tables/memberships.js'
import { readStateEvent, type RoomsContext } from './context.js'
import type { RoomSnapshot } from './working-room.js'

/**
 * What everybody is told who asks to come into a room that is not open to them, be it there or not: a word of another kind for rooms that do
 * not exist would tell strangers which do.
 *
 * NOTSPEC: for a knock the specification has a 404 where the room "could not be found". It stays for aliases, which are public; of ids it
 * would be the only answer of its kind, since a room that takes no knocks is refused with 403.
 */
export const notInvited = (): Error => forbidden('You are not invited to this room')

/** Rules that show the room to everybody, so that a refusal may say why. */
const OPEN: ReadonlySet<unknown> = new Set(['public', 'knock', 'knock_restricted'])

/** Whether anybody who has its id may ask to come into the room: that there is such a room is no secret then. */
export async function isOpenToAll(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
): Promise<boolean> {
  const rules = await readStateEvent(context, room, 'm.room.join_rules', '')
  return OPEN.has(rules?.event.content['join_rule'])
}

/** Does something for somebody who asks to come in; a stranger to a room that is not open gets one refusal for all reasons, that of no room. */
export async function alikeForStrangers<T>(
  context: RoomsContext,
  room: RoomSnapshot | undefined,
  membership: MembershipRow | undefined,
  act: () => Promise<T>,
  refusal: () => Error = notInvited,
): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (
      room === undefined ||
      membership !== undefined ||
      !(error instanceof MatrixError) ||
      error.errcode !== 'M_FORBIDDEN'
    )
      throw error
    throw (await isOpenToAll(context, room)) ? error : refusal()
  }
}
