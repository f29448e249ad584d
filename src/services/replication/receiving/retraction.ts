import { clientEvent } from '../../../core/event/client-view.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { isObject, ownValue, type Json } from '../../../core/json/value.js'
import { membershipOf, type MembershipRow } from '../../../storage/tables/memberships.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { OutsideMemberships } from '../../rooms/outside-memberships.js'
import type { PduIntake } from '../peers/pdu-intake.js'

/** Takes back invites and refuses knocks in rooms that this server is not in. */
export interface Retraction {
  /**
   * The id of the event, if it was one that ends an invite or a knock of one of our users; else undefined. `keyWaitMs`: how long a
   * key may be waited for; with 0 or less, only what is signed with known ones is taken.
   */
  take(origin: string, roomId: string, json: Json, keyWaitMs: number): Promise<string | undefined>
}

/** How long all retractions of a transaction together wait for keys, in milliseconds: the transaction waits with them. */
export const RETRACTION_KEY_WAIT = 5_000

/**
 * Without the room's state nobody can say who may kick. An invite is taken back by the user who made it, a knock is refused
 * from a server that is known to be in the room.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#inviting-to-a-room
 */
export function createRetraction(deps: {
  readonly context: Pick<RoomsContext, 'store' | 'loader' | 'serverName'>
  readonly intake: PduIntake
  readonly outside: OutsideMemberships
}): Retraction {
  const { context, outside } = deps

  function mayEnd(row: MembershipRow, sender: string, origin: string): boolean {
    // A row with an event is of a room whose state is here.
    if (row.event_nid !== null || row.local !== 1) return false
    if (row.membership === 'invite') return row.sender === sender
    return row.membership === 'knock' && outside.serversFor(row).includes(origin)
  }

  return {
    async take(origin, roomId, json, keyWaitMs) {
      if (!isObject(json) || ownValue(json, 'type') !== 'm.room.member') return undefined
      const userId = ownValue(json, 'state_key')
      const sender = ownValue(json, 'sender')
      if (typeof userId !== 'string' || serverNameOf(userId) !== context.serverName) return undefined
      if (typeof sender !== 'string' || serverNameOf(sender) !== origin) return undefined
      const room = await context.loader.load(roomId)
      if (room === undefined) return undefined
      const row = await context.store.read('rooms.outside', () => membershipOf(room.nid, userId))
      if (row === undefined || !mayEnd(row, sender, origin)) return undefined
      const keys = keyWaitMs > 0 ? { keyWaitMs } : { knownOnly: true }
      const [result] = await deps.intake([json], room.rules, roomId, { origin, ...keys })
      if (result?.ok !== true) return undefined
      const membership = ownValue(result.event.content, 'membership')
      if (membership !== 'leave' && membership !== 'ban') return undefined
      const shown = membership === 'leave' ? clientEvent(result.event, { omitRoomId: true }) : undefined
      await outside.leave(roomId, userId, shown)
      return result.event.id
    },
  }
}
