import type { RoomEvent } from '../../../core/event/types.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import { lowestOrd } from '../../../storage/tables/events.js'
import { applyEvent } from '../../rooms/apply-event.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { mergedState } from './apply-events.js'
import { fetchStateBefore } from './fetch-state.js'
import { fetchMissingAuth, storedByIds } from './missing-auth.js'
import type { PeerReads } from '../peers/peer-reads.js'
import { wholeCopies } from './whole-copies.js'

/** Events for which a state is fetched at once; others wait for the next attempt. */
const MAX_STATES = 5
/** An event that lacks more predecessors than this gets one state for all of them. */
const MAX_PREVS = 3
/** Fetched events that are given up for one gap, before those that were pushed get a state. */
const MAX_GIVEN_UP = 20

export interface Bridging {
  readonly room: RoomSnapshot
  /** By id; predecessors that could be had are added, and what gets no place is taken out. */
  readonly pool: Map<string, RoomEvent>
  /** Ids of those of the pool that were pushed, and not fetched for others. */
  readonly pushed: ReadonlySet<string>
  /** Those of the pool of which a predecessor is lacking, in causal order. */
  readonly edges: readonly RoomEvent[]
  /** Predecessors that are neither here nor in the pool. */
  readonly lacking: ReadonlySet<string>
  readonly servers: readonly string[]
  /** `orPart`: they have waited long; a state is taken although a part of it can be had nowhere, and an event as one server gives it. */
  readonly ask: { readonly signal: AbortSignal; readonly orPart: boolean }
  /** Whether a fetched event may be placed at all. */
  readonly usable: (event: RoomEvent) => boolean
  /** Whether it lies before this server's arrival: it has its place in the past, and is no news. */
  readonly isOld: (event: RoomEvent) => boolean
  /** Whether an event gets no state of a peer yet. */
  readonly waits: (eventId: string) => boolean
}

/** `unsure`: one has come without its content, and nobody who may have it whole has answered. */
type Bridged = 'bridged' | 'absent' | 'unsure'

/**
 * Where the way back to what is here is too long: each edge gets the predecessors that it lacks, each with the state before it as a
 * peer has it, so that what several of them lead to is resolved here and not taken from anybody: states that are resolved with one another in
 * another order may come out otherwise. Where they cannot be had, or are many,
 * the state before the edge itself is taken. What was refused in the past has a state nowhere but on servers that keep such things: an edge
 * that still gets none after a long time is given up, and what stands on it becomes an edge. Returns the states by event id.
 */
export async function bridgeByState(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  bridging: Bridging,
): Promise<Map<string, NodeName>> {
  const { pool, ask, pushed } = bridging
  const states = new Map<string, NodeName>()
  const lacking = new Set(bridging.lacking)
  const edges = [...bridging.edges]
  let givenUp = 0
  for (const edge of edges) {
    if (states.size >= MAX_STATES || ask.signal.aborted) break
    const prevs = edge.prevEvents.filter((id) => lacking.has(id) && !pool.has(id))
    const bridged = prevs.length <= MAX_PREVS ? await bridgePrevs(deps, bridging, prevs, states) : 'absent'
    // With a state in its place, what is unsure would be a hole, which is filled later with what one server gives.
    if (bridged !== 'absent') continue
    // What lacks auth events is not applied whatever state it gets.
    const root = (await hasKnownAuth(deps.context, pool, edge))
      ? await stateBefore(deps, bridging, edge.id)
      : undefined
    if (root !== undefined) {
      states.set(edge.id, root)
      continue
    }
    if (!ask.orPart || pushed.has(edge.id) || ++givenUp > MAX_GIVEN_UP) continue
    pool.delete(edge.id)
    lacking.add(edge.id)
    for (const event of pool.values()) {
      const follows = event.prevEvents.includes(edge.id) && !edges.includes(event)
      if (follows && !bridging.waits(event.id)) edges.push(event)
    }
  }
  return states
}

async function stateBefore(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  { room, servers, ask }: Bridging,
  eventId: string,
): Promise<NodeName | undefined> {
  const fetched = await fetchStateBefore(deps, room, eventId, servers, ask.signal)
  return fetched !== undefined && (fetched.absent === 0 || ask.orPart) ? fetched.root : undefined
}

/** Unless each of them can be had, with its auth events and the state before it, none is used. */
async function bridgePrevs(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  bridging: Bridging,
  prevs: readonly string[],
  states: Map<string, NodeName>,
): Promise<Bridged> {
  const { room, pool, servers, ask } = bridging
  const found: { readonly event: RoomEvent; readonly root: NodeName }[] = []
  for (const id of prevs) {
    const event = await fetchEvent(deps, bridging, id)
    if (event === 'unsure') return 'unsure'
    if (event === undefined || !bridging.usable(event)) return 'absent'
    const root = await stateBefore(deps, bridging, id)
    if (root === undefined) return 'absent'
    await fetchMissingAuth(deps, room, [event], servers, ask.signal)
    if (!(await hasKnownAuth(deps.context, pool, event))) return 'absent'
    found.push({ event, root })
  }
  for (const { event, root } of found) {
    if (bridging.isOld(event)) {
      await placeOld(deps.context, room, event, root, servers[0] ?? '')
      continue
    }
    pool.set(event.id, event)
    states.set(event.id, root)
  }
  return 'bridged'
}

/** With all predecessors in their place what they lead to is resolved here, as everybody resolves it. */
async function placeOld(
  context: RoomsContext,
  { nid, roomId }: RoomSnapshot,
  event: RoomEvent,
  root: NodeName,
  origin: string,
): Promise<void> {
  const low = Math.min(0, await context.store.read('bridge.lowest', () => lowestOrd(nid)))
  await context.writer.write(roomId, async (working) => {
    const stateBefore = await mergedState(context, working, event, root)
    await applyEvent(working, event, { live: false, origin, ord: low - 1, stateBefore }, context.local)
  })
}

/** One event, whole where a server that is asked has it whole: who has given it may have redacted it by what everybody else refuses. */
async function fetchEvent(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  { room, servers, ask: { signal, orPart } }: Bridging,
  id: string,
): Promise<RoomEvent | 'unsure' | undefined> {
  const { context, peers } = deps
  for (const server of servers) {
    if (signal.aborted) return undefined
    const event = await peers.event({ server, signal }, room, id).catch((error: unknown) => {
      context.logger.debug({ err: error, server, eventId: id }, 'a server does not give a predecessor')
      return undefined
    })
    if (event === undefined) continue
    const whole = await wholeCopies(deps, room, [event], server, servers, signal)
    return whole.unsure.has(id) && !orPart ? 'unsure' : whole.events[0]
  }
  return undefined
}

async function hasKnownAuth(
  context: RoomsContext,
  pool: ReadonlyMap<string, RoomEvent>,
  event: RoomEvent,
): Promise<boolean> {
  const named = event.authEvents.filter((id) => !pool.has(id))
  return (await storedByIds(context, named)).size === new Set(named).size
}
