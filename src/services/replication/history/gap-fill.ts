import type { RoomEvent } from '../../../core/event/types.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import { arrivalDepth, missingBeforeArrival } from '../../../storage/tables/events.js'
import { startDeadline } from '../../../platform/deadline.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { bridgeByState } from './bridge.js'
import { causalOrder } from './causal-order.js'
import { fetchMissingAuth, storedByIds } from './missing-auth.js'
import type { PeerReads } from '../peers/peer-reads.js'
import { wholeCopies } from './whole-copies.js'

/** Events to apply, in this order. */
export interface Filled {
  /** The events asked for and those fetched for them. */
  readonly events: readonly RoomEvent[]
  /** Where predecessors could not be had: the state before the event as a peer has it, by event id. */
  readonly stateBefore: ReadonlyMap<string, NodeName>
  /** Ids of those that this server's join stands on: history, however late they come. */
  readonly past: ReadonlySet<string>
}

export interface GapFill {
  /**
   * Gets what some events of a room refer to: auth events, which are stored; predecessors; and, where those are too many
   * or nobody has them, the state instead. Bounded in time and amount; what cannot be had is missing in the result.
   * `origin`, who sent the events, is asked first. Never rejects for what peers do.
   */
  fill(
    room: RoomSnapshot,
    events: readonly RoomEvent[],
    origin: string,
    options?: {
      readonly signal?: AbortSignal
      /** Events that cannot be applied here: what stands on them gets a state instead. */
      readonly avoid?: (eventId: string) => boolean
      /** They have waited long: a state is taken although a part of it can be had nowhere, and an event as one server gives it. Default false. */
      readonly orPart?: boolean
      /** Events that get no state of a peer: without their predecessors they wait. */
      readonly waits?: (eventId: string) => boolean
    },
  ): Promise<Filled>
}

export interface GapFillOptions {
  /** For all together, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  /** Predecessors fetched for one gap, before the state is asked for instead. Default 1,000. */
  readonly maxEvents?: number
}

/** Servers asked besides the origin. */
const MAX_OTHERS = 3
const MAX_ROUNDS = 60
const PAGE = 50
const MAX_NAMED = 20
/** No server gives fewer at once than this where it has more. */
const LEAST_PAGE = 10

/** Whether an event has its place in the room, so that others may follow it. */
export const isPlaced = (room: Pick<RoomSnapshot, 'nid'>, stored: StoredEvent | undefined): boolean =>
  stored?.stateAfter !== undefined && stored.roomNid === room.nid

/** Servers to ask about a room: `first`, then those with the most users there. */
export async function serversToAsk(
  context: RoomsContext,
  room: RoomSnapshot,
  first: readonly string[],
  count: number,
): Promise<string[]> {
  const { servers } = await context.rosters.of(room.nid)
  const others = [...servers].toSorted((a, b) => b[1] - a[1]).map(([name]) => name)
  const named = new Set([...first, ...others].filter((name) => name !== context.serverName))
  return [...named].slice(0, count)
}

export function createGapFill(deps: {
  readonly context: RoomsContext
  readonly peers: PeerReads
  readonly options?: GapFillOptions
}): GapFill {
  const { context, peers, options = {} } = deps
  const { timeoutMs = 60_000, maxEvents = 1_000 } = options

  /** Predecessors that are neither here nor among the events. */
  async function lackingPrevs(
    room: RoomSnapshot,
    pool: ReadonlyMap<string, RoomEvent>,
  ): Promise<Set<string>> {
    const named = new Set([...pool.values()].flatMap((event) => event.prevEvents))
    for (const id of named) if (pool.has(id)) named.delete(id)
    const stored = await storedByIds(context, named)
    for (const id of named) if (isPlaced(room, stored.get(id))) named.delete(id)
    return named
  }

  async function fetchPrevs(
    room: RoomSnapshot,
    pool: Map<string, RoomEvent>,
    servers: readonly string[],
    signal: AbortSignal,
    wanted: (event: RoomEvent) => boolean,
    floor: number,
    orPart: boolean,
  ): Promise<void> {
    const earliest = room.heads
      .toSorted((a, b) => b.depth - a.depth)
      .slice(0, MAX_NAMED)
      .map((head) => head.id)
    for (const server of servers) {
      for (let round = 0; round < MAX_ROUNDS && !signal.aborted; round++) {
        const lacking = await lackingPrevs(room, pool)
        if (lacking.size === 0) return
        const latest = [...pool.values()]
          .filter((event) => event.depth > floor && event.prevEvents.some((id) => lacking.has(id)))
          .slice(0, MAX_NAMED)
          .map((event) => event.id)
        const limit = Math.min(PAGE, maxEvents - pool.size)
        if (limit <= 0 || latest.length === 0) return
        const got = await peers
          .missingEvents({ server, signal }, room, { earliest, latest, limit, minDepth: floor })
          .catch((error: unknown) => {
            context.logger.debug(
              { err: error, server, roomId: room.roomId },
              'a server gives no missing events',
            )
            return []
          })
        const stored = await storedByIds(
          context,
          got.map((event) => event.id),
        )
        const fresh = got.filter(
          (event) => wanted(event) && !pool.has(event.id) && !isPlaced(room, stored.get(event.id)),
        )
        // Only what leads on: a peer might otherwise fill the pool with anything.
        const leading = reachable(lacking, fresh)
        const whole = await wholeCopies(deps, room, leading, server, servers, signal)
        const kept = orPart ? whole.events : whole.events.filter(({ id }) => !whole.unsure.has(id))
        for (const event of reachable(lacking, kept)) pool.set(event.id, event)
        // A short answer is all that this server has: asked again it would repeat itself.
        if (leading.length === 0 || got.length < Math.min(limit, LEAST_PAGE)) break
      }
    }
  }

  /** Those of the events on which the join at this depth stands. A removal or a ban is told to its user's server, whoever of it has come since. */
  async function pastOf(
    room: RoomSnapshot,
    floor: number,
    events: readonly RoomEvent[],
    pool: ReadonlyMap<string, RoomEvent>,
  ): Promise<Set<string>> {
    const past = new Set<string>()
    if (events.every(({ depth }) => depth >= floor)) return past
    const named = await context.store.read('gapFill.past', () =>
      missingBeforeArrival(room.nid, floor, context.serverName),
    )
    for (let next = named; next.length > 0;) {
      const found = next.flatMap((id) => (past.has(id) ? [] : (pool.get(id) ?? [])))
      for (const { id } of found) past.add(id)
      next = found.flatMap(({ prevEvents }) => prevEvents)
    }
    return past
  }

  return {
    async fill(
      room,
      events,
      origin,
      { signal, avoid = () => false, waits = () => false, orPart = false } = {},
    ) {
      const deadline = startDeadline(timeoutMs, signal)
      const pool = new Map(events.map((event) => [event.id, event]))
      try {
        const servers = await serversToAsk(context, room, [origin], MAX_OTHERS + 1)
        // What lies before the arrival of this server is history, which is fetched when somebody scrolls there; as news it would be shown to clients after what they have.
        const floor =
          (await context.store.read('gapFill.arrival', () => arrivalDepth(room.nid, context.serverName))) ?? 0
        const usable = ({ id, depth }: RoomEvent): boolean => depth >= floor && !avoid(id)
        await fetchPrevs(room, pool, servers, deadline.signal, usable, floor, orPart)
        await fetchMissingAuth(deps, room, pool.values(), servers, deadline.signal)
        const lacking = await lackingPrevs(room, pool)
        const edges = causalOrder(pool.values()).filter(
          (event) => !waits(event.id) && event.prevEvents.some((id) => lacking.has(id)),
        )
        const stateBefore = await bridgeByState(deps, {
          room,
          pool,
          pushed: new Set(events.map((event) => event.id)),
          edges,
          lacking,
          servers,
          ask: { signal: deadline.signal, orPart },
          usable: ({ id }) => !avoid(id),
          isOld: ({ depth }) => depth < floor,
          waits,
        })
        return {
          events: causalOrder(pool.values()),
          stateBefore,
          past: await pastOf(room, floor, events, pool),
        }
      } finally {
        deadline.end()
      }
    },
  }
}

/** Those of the events that are named, directly or by one another. */
function reachable(named: ReadonlySet<string>, events: readonly RoomEvent[]): RoomEvent[] {
  const byId = new Map(events.map((event) => [event.id, event]))
  const found = new Map<string, RoomEvent>()
  let next = [...named]
  while (next.length > 0) {
    const step: string[] = []
    for (const id of next) {
      const event = byId.get(id)
      if (event === undefined || found.has(id)) continue
      found.set(id, event)
      step.push(...event.prevEvents)
    }
    next = step
  }
  return [...found.values()]
}
