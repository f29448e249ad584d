import type { RoomEvent } from '../../../core/event/types.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { checkForeignState } from './check-state.js'
import { storeOutliers, storeState } from './import-state.js'
import { fetchEach, judgedOf, storedByIds } from './missing-auth.js'
import type { PeerReads } from '../peers/peer-reads.js'

/** More missing events than this are cheaper as one answer with the whole state. */
const MAX_SINGLE = 50

/**
 * The state before an event as other servers have it, for an event whose predecessors cannot be had. Each server is
 * asked in turn; the first whose answer is a state of this room is taken at its word, less what the auth rules refuse.
 * Its events are stored as outliers. Undefined when nobody helped.
 */
export async function fetchStateBefore(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  room: RoomSnapshot,
  eventId: string,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<NodeName | undefined> {
  const { logger } = deps.context
  for (const server of servers) {
    if (signal.aborted) return undefined
    try {
      return await stateFrom(deps, room, eventId, server, signal)
    } catch (error) {
      if (signal.aborted) return undefined
      logger.debug({ err: error, server, eventId }, 'a server does not give the state before an event')
    }
  }
  return undefined
}

async function stateFrom(
  { context, peers }: { readonly context: RoomsContext; readonly peers: PeerReads },
  room: RoomSnapshot,
  eventId: string,
  server: string,
  signal: AbortSignal,
): Promise<NodeName> {
  const ask = { server, signal }
  const ids = await peers.stateIds(ask, room, eventId)
  const stored = await storedByIds(context, [...ids.state, ...ids.authChain])
  // An event of another room is not known here, whatever its id.
  for (const [id, event] of stored) if (event.roomNid !== room.nid) stored.delete(id)
  const missing = [...new Set([...ids.state, ...ids.authChain])].filter((id) => !stored.has(id))
  const fetched =
    missing.length > MAX_SINGLE
      ? await peers.state(ask, room, eventId, (id) => stored.has(id))
      : await fetchEach(peers, ask, room, missing)
  const found = new Map<string, RoomEvent>([...stored].map(([id, { event }]) => [id, event]))
  for (const event of fetched) found.set(event.id, event)

  const eventsOf = (list: readonly string[]): RoomEvent[] => list.flatMap((id) => found.get(id) ?? [])
  // Their auth events, where the answer leaves them out because they are old news.
  const others = await storedByIds(
    context,
    fetched.flatMap((event) => event.authEvents.filter((id) => !found.has(id))),
  )
  const checked = await checkForeignState(
    {
      rules: room.rules,
      roomId: room.roomId,
      state: eventsOf(ids.state),
      authChain: eventsOf(ids.authChain),
      known: judgedOf(new Map([...others, ...stored])),
    },
    context.local.verifySignature,
  )
  const nids = await storeOutliers(context, room.nid, checked)
  if (checked.state.length < ids.state.length) {
    context.logger.info(
      { server, roomId: room.roomId, eventId, of: ids.state.length, taken: checked.state.length },
      'a part of the state that another server gave could not be taken',
    )
  }
  return storeState(context, room.nid, checked.state, nids)
}
