import { lowestOrd } from '../../../storage/tables/events.js'
import type { RoomEvent } from '../../../core/event/types.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import { applyEvent, MissingPredecessors, readAhead } from '../../rooms/apply-event.js'
import type { RoomsContext } from '../../rooms/context.js'
import { askPolicyServer } from '../../rooms/policy-signing.js'
import { resolveRoots } from '../../rooms/resolve-roots.js'
import { eventsByIds, type WorkingRoom } from '../../rooms/working-room.js'

export interface ToApply {
  readonly event: RoomEvent
  readonly origin: string
  /** The staged row that it settles. */
  readonly stagedNid: number | undefined
  /** The state before it as a peer has it, where predecessors are missing. */
  readonly peerState: NodeName | undefined
  /** It lies before this server's arrival: it takes its place there, and is no news. */
  readonly isPast?: boolean
}

export type Applied =
  | { readonly item: ToApply; readonly ok: true; readonly rowGone: boolean }
  | { readonly item: ToApply; readonly ok: false; readonly error: unknown }

/**
 * Applies events in their order, all of them in few transactions. One that fails costs only itself and, where the whole
 * transaction failed, a second try of each alone. Events known already are passed over. In order of `items`.
 */
export async function applyEvents(
  context: RoomsContext,
  roomId: string,
  items: readonly ToApply[],
): Promise<Applied[]> {
  const given = await askPolicyServer(context, roomId, items)
  const ids = given.map((item) => item.event.id)
  const together = await Promise.allSettled(given.map((item) => applyOne(context, roomId, item, ids)))
  const results: Applied[] = []
  for (const [i, item] of given.entries()) {
    const first = together[i]!
    if (first.status === 'fulfilled') results.push({ item, ok: true, rowGone: first.value })
    else if (first.reason instanceof MissingPredecessors)
      results.push({ item, ok: false, error: first.reason })
    else results.push(await alone(context, roomId, item))
  }
  return results
}

async function alone(context: RoomsContext, roomId: string, item: ToApply): Promise<Applied> {
  try {
    return { item, ok: true, rowGone: await applyOne(context, roomId, item) }
  } catch (error) {
    return { item, ok: false, error }
  }
}

/** True when the staged row went with the transaction; an event that was known writes nothing. */
function applyOne(
  context: RoomsContext,
  roomId: string,
  item: ToApply,
  together: readonly string[] = [item.event.id],
): Promise<boolean> {
  return context.writer.write(roomId, async (room) => {
    const before = room.pending.length
    if (!room.readAhead.has(item.event.id)) await readAhead(room, together, context.local)
    const stateBefore =
      item.peerState === undefined ? undefined : await mergedState(context, room, item.event, item.peerState)
    const place = item.isPast === true ? { live: false, ord: await ordBefore(context, room) } : { live: true }
    await applyEvent(
      room,
      item.event,
      {
        ...place,
        origin: item.origin,
        ...(stateBefore === undefined ? {} : { stateBefore, peerState: item.peerState! }),
      },
      context.local,
    )
    if (room.pending.length === before) return false
    if (item.stagedNid !== undefined) room.settled.push(item.stagedNid)
    return true
  })
}

/** Below all that is there. */
async function ordBefore({ store }: RoomsContext, room: WorkingRoom): Promise<number> {
  const low = await store.read('applyEvents.lowest', () => lowestOrd(room.base.nid))
  return Math.min(0, low, ...room.pending.map(({ stored }) => stored.ord ?? 0)) - 1
}

/** A peer's view of the state before an event, resolved with what the predecessors that are here lead to. */
export async function mergedState(
  context: Pick<RoomsContext, 'local'>,
  room: WorkingRoom,
  event: RoomEvent,
  peerState: NodeName,
): Promise<NodeName> {
  const { readers } = context.local
  const prevs = await eventsByIds(room, event.prevEvents, readers)
  const roots = [...prevs.values()].flatMap((stored) =>
    stored.roomNid === room.base.nid ? (stored.stateAfter ?? []) : [],
  )
  return resolveRoots(room, [peerState, ...roots], context.local)
}
