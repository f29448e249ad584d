import { stickyUntil } from '../../core/event/sticky.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import {
  enqueueOwnSticky,
  hideStickyOf,
  insertStickyEvents,
  type StickyRow,
} from '../../storage/tables/sticky-events.js'
import type { Tx } from '../../storage/tx.js'
import { memberChanges, type Pending, type WorkingRoom } from './working-room.js'

/** Whether clients are told of a sticky event that is no news of the timeline: it comes from history that is being filled in. */
export const sticksFromHistory = (item: Pending, now: number): boolean =>
  !item.live && isShown(item) && (stickyUntil(item.stored.event, now) ?? 0) > now

const isShown = ({ stored, isRevised }: Pending): boolean =>
  isRevised !== true && !stored.outlier && stored.rejected === undefined && !stored.softFailed

/** Servers that came into the room with these events. */
function newcomers(room: WorkingRoom): string[] {
  const gained = new Map<string, number>()
  for (const { userId, before, after } of memberChanges(room.pending.flatMap((item) => item.stateChanges))) {
    if ((before === 'join') === (after === 'join')) continue
    const server = serverNameOf(userId) ?? ''
    gained.set(server, (gained.get(server) ?? 0) + (after === 'join' ? 1 : -1))
  }
  return [...gained].flatMap(([server, count]) =>
    count > 0 && room.roster.servers.get(server) === count ? [server] : [],
  )
}

/**
 * Keeps of new events those that stick, each with the position from which clients are told of it, and what a change of membership
 * makes of others. Gives the servers that came into the room, for which something may wait now. NOTSPEC: MSC4354.
 */
export function* writeSticky(
  room: WorkingRoom,
  positions: readonly (number | undefined)[],
  now: number,
  serverName: string,
): Tx<readonly string[]> {
  const rows: StickyRow[] = []
  room.pending.forEach((item, i) => {
    const { event, nid, outlier, rejected } = item.stored
    const until = stickyUntil(event, now) ?? 0
    if (until <= now || outlier || rejected !== undefined || item.isRevised === true) return
    rows.push({
      event_nid: nid,
      room_nid: room.base.nid,
      sender: event.sender,
      own: serverNameOf(event.sender) === serverName ? 1 : 0,
      until_ts: until,
      pos: isShown(item) ? (positions[i] ?? null) : null,
    })
  })
  yield* insertStickyEvents(rows)
  const changes = memberChanges(room.pending.flatMap((item) => item.stateChanges))
  const gone = changes.filter(({ before, after }) => before === 'join' && after !== 'join')
  if (gone.length > 0)
    yield* hideStickyOf(
      room.base.nid,
      gone.map((change) => change.userId),
    )
  const servers = newcomers(room)
  if (servers.length > 0) yield* enqueueOwnSticky(room.base.nid, servers, now)
  return servers
}
