import { clientEvent } from '../../core/event/client-view.js'
import type { JsonObject } from '../../core/json/value.js'
import type { MembershipRow } from '../../storage/tables/memberships.js'
import type { RoomsContext } from './context.js'
import { withReason } from './member-draft.js'
import type { OutsideMemberships } from './outside-memberships.js'
import type { RemoteMemberships } from './remote-memberships.js'

/** Ends an invite or a knock of a room that this server is not in, through a server that is. The user is rid of it in any case. */
export async function rejectOutside(
  {
    context,
    remote,
    outside,
  }: {
    readonly context: RoomsContext
    readonly remote: RemoteMemberships
    readonly outside: OutsideMemberships
  },
  userId: string,
  {
    roomId,
    row,
    reason,
  }: { readonly roomId: string; readonly row: MembershipRow; readonly reason: string | undefined },
): Promise<void> {
  const via = outside.serversFor(row)
  const content = withReason({ membership: 'leave' }, reason)
  let shown: JsonObject
  try {
    const event = await remote.leave(userId, roomId, via, content)
    shown = clientEvent(event, { omitRoomId: true })
  } catch (error) {
    // The inviting server may be gone; the user is rid of the invite all the same.
    context.logger.info({ err: error, roomId }, 'an invite was rejected here only')
    shown = {
      type: 'm.room.member',
      sender: userId,
      state_key: userId,
      content,
      // No other server has such an event; clients drop events without an id.
      event_id: `$${context.random.string(43)}`,
      origin_server_ts: context.clock.now(),
    }
  }
  await outside.leave(roomId, userId, shown)
}
