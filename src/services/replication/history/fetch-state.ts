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

export interface FetchedState {
  readonly root: NodeName
  /**
   * How many of its events could not be had or verified. Whoever has those comes to other states from then on: a state that is not whole
   * is for what has waited long.
   */
  readonly absent: number
}

/**
 * The state before an event as other servers have it, for an event whose predecessors cannot be had. Each server is
 * asked in turn; the first whose answer is a whole state of this room is taken at its word, less what the auth rules refuse; where none
 * is whole, the one that lacks least. What one of them names and does not give is asked of the others. Its events are stored as
 * outliers. Undefined when nobody helped.
 */
export async function fetchStateBefore(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  room: RoomSnapshot,
  eventId: string,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<FetchedState | undefined> {
  const { logger } = deps.context
  let best: FetchedState | undefined
  for (const server of servers) {
    if (signal.aborted) break
    try {
      const order = [server, ...servers.filter((other) => other !== server)]
      const fetched = await stateFrom(deps, room, eventId, order, signal)
      if (fetched.absent === 0) return fetched
      if (best === undefined || fetched.absent < best.absent) best = fetched
    } catch (error) {
      if (signal.aborted) break
      logger.debug({ err: error, server, eventId }, 'a server does not give the state before an event')
    }
  }
  if (best !== undefined)
    logger.info({ roomId: room.roomId, eventId, absent: best.absent }, 'of a state that servers name some events cannot be had') // prettier-ignore
  return best
}

/** Asks the first of the servers for the state, and the others for what it names and does not give. */
async function stateFrom(
  { context, peers }: { readonly context: RoomsContext; readonly peers: PeerReads },
  room: RoomSnapshot,
  eventId: string,
  [server = '', ...others]: readonly string[],
  signal: AbortSignal,
): Promise<FetchedState> {
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
  for (const other of others) {
    const lacking = missing.filter((id) => !found.has(id)).slice(0, MAX_SINGLE)
    if (lacking.length === 0) break
    for (const event of await fetchEach(peers, { server: other, signal }, room, lacking)) {
      found.set(event.id, event)
      fetched.push(event)
    }
  }

  const eventsOf = (list: readonly string[]): RoomEvent[] => list.flatMap((id) => found.get(id) ?? [])
  // Their auth events, where the answer leaves them out because they are old news.
  const old = await storedByIds(
    context,
    fetched.flatMap((event) => event.authEvents.filter((id) => !found.has(id))),
  )
  const checked = await checkForeignState(
    {
      rules: room.rules,
      roomId: room.roomId,
      state: eventsOf(ids.state),
      authChain: eventsOf(ids.authChain),
      known: judgedOf(new Map([...old, ...stored])),
    },
    context.local,
  )
  const nids = await storeOutliers(context, room.nid, checked)
  const judged = new Set(checked.events.map((event) => event.id))
  return {
    root: await storeState(context, room.nid, checked.state, nids),
    absent: ids.state.filter((id) => !judged.has(id)).length,
  }
}
