import type { RoomEvent } from '../../../core/event/types.js'
import type { NodeName } from '../../../core/state-trie/node.js'
import { startDeadline } from '../../../platform/deadline.js'
import { createLru } from '../../../platform/lru.js'
import { lowestOrd, missingEvents } from '../../../storage/tables/events.js'
import { applyEvent } from '../../rooms/apply-event.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { mergedState } from './apply-events.js'
import { causalOrder } from './causal-order.js'
import { fetchStateBefore } from './fetch-state.js'
import { isPlaced, serversToAsk } from './gap-fill.js'
import { fetchMissingAuth, storedByIds } from './missing-auth.js'
import type { PeerReads } from '../peers/peer-reads.js'
import { loadResident } from '../../rooms/residence.js'
import { wholeCopies } from './whole-copies.js'

/** History from before this server came, or from while it was away. */
export interface Backfill {
  /**
   * Fetches up to about `limit` events before a depth from servers in the room, with the state that they stand on, and
   * puts them in their place in the past; nothing now changes. True when something came. Bounded in time, because a
   * client waits; one at a time for each room: who asks meanwhile gets the same answer.
   */
  backfill(roomId: string, beforeDepth: number, limit: number): Promise<boolean>
  /** Fetches one event of the past, with the state that it stands on; true when it has its place now. */
  place(roomId: string, eventId: string, servers: readonly string[], signal: AbortSignal): Promise<boolean>
}

export interface BackfillOptions {
  /** For all together, in milliseconds. Default 20,000. */
  readonly timeoutMs?: number
  /** Servers asked in turn. Default 5. */
  readonly maxServers?: number
}

const MAX_EVENTS = 100
/** Ids named in one question. */
const MAX_NAMED = 20
const MAX_MISSING = 200
/** Places where the fetched history begins, for each of which a state is fetched. */
const MAX_EDGES = 5
/** After a fruitless attempt a room is left alone for so long, in milliseconds. */
const FRUITLESS = 60_000

export function createBackfill(deps: {
  readonly context: RoomsContext
  readonly peers: PeerReads
  readonly options?: BackfillOptions
}): Backfill {
  const { context, peers, options = {} } = deps
  const { store, clock, logger } = context
  const running = new Map<string, Promise<boolean>>()
  const fruitless = createLru<string, true>({ max: 10_000, ttlMs: FRUITLESS, clock })

  /** Missing predecessors, those before the depth first: the nearest of them first. */
  async function wanted(room: RoomSnapshot, beforeDepth: number): Promise<string[]> {
    const rows = await store.read('backfill.missing', () => missingEvents(room.nid, MAX_MISSING))
    const before = rows.filter((row) => row.depth <= beforeDepth)
    return (before.length > 0 ? before : rows).slice(0, MAX_NAMED).map((row) => row.event_id)
  }

  async function attempt(room: RoomSnapshot, from: readonly string[], limit: number): Promise<boolean> {
    const deadline = startDeadline(options.timeoutMs ?? 20_000)
    const { signal } = deadline
    try {
      const servers = await serversToAsk(context, room, [], options.maxServers ?? 5)
      for (const server of servers) {
        if (signal.aborted) break
        const got = await peers
          .backfill({ server, signal }, room, from, Math.min(Math.max(limit, 20), MAX_EVENTS))
          .catch((error: unknown) => {
            logger.debug({ err: error, server, roomId: room.roomId }, 'a server gives no history')
            return []
          })
        const stored = await storedByIds(
          context,
          got.map((event) => event.id),
        )
        const fresh = got.filter((event) => stored.get(event.id)?.outlier !== false)
        if (fresh.length === 0) continue
        const asked = [server, ...servers.filter((other) => other !== server)]
        const whole = await wholeCopies(deps, room, fresh, server, asked, signal)
        if ((await place(room, whole.events, asked, signal)) > 0) return true
      }
      return false
    } finally {
      deadline.end()
    }
  }

  /** Puts fetched events in their place; gives how many. */
  async function place(
    room: RoomSnapshot,
    events: readonly RoomEvent[],
    servers: readonly string[],
    signal: AbortSignal,
  ): Promise<number> {
    await fetchMissingAuth(deps, room, events, servers, signal)
    const states = new Map<string, NodeName>()
    const placeable: RoomEvent[] = []
    const ids = new Set<string>()
    const stored = await storedByIds(
      context,
      events.flatMap((event) => [...event.prevEvents, ...event.authEvents]),
    )
    let edges = 0
    for (const event of causalOrder(events)) {
      if (!event.authEvents.every((id) => stored.has(id) || ids.has(id))) continue
      const whole =
        event.prevEvents.length === 0
          ? event.type === 'm.room.create'
          : event.prevEvents.every((id) => ids.has(id) || isPlaced(room, stored.get(id)))
      if (!whole) {
        if (event.prevEvents.length === 0 || ++edges > MAX_EDGES) continue
        const fetched = await fetchStateBefore(deps, room, event.id, servers, signal)
        if (fetched === undefined) continue
        states.set(event.id, fetched.root)
      }
      ids.add(event.id)
      placeable.push(event)
    }
    if (placeable.length === 0) return 0
    const low = Math.min(0, await store.read('backfill.lowest', () => lowestOrd(room.nid)))
    const outcomes = await Promise.allSettled(
      placeable.map((event, i) =>
        context.writer.write(room.roomId, async (working) => {
          const peerState = states.get(event.id)
          const stateBefore =
            peerState === undefined ? undefined : await mergedState(context, working, event, peerState)
          await applyEvent(
            working,
            event,
            {
              live: false,
              origin: servers[0]!,
              // Oldest first, all below what is there.
              ord: low - placeable.length + i,
              ...(stateBefore === undefined ? {} : { stateBefore }),
            },
            context.local,
          )
        }),
      ),
    )
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) {
      logger.info(
        { err: failed.reason as unknown, roomId: room.roomId, of: placeable.length },
        'a part of the history that another server gave could not be placed',
      )
    }
    return outcomes.filter((outcome) => outcome.status === 'fulfilled').length
  }

  return {
    async place(roomId, eventId, servers, signal) {
      const room = await context.loader.load(roomId)
      const known = await context.events.byId(eventId)
      if (room === undefined) return false
      if (known !== undefined && !known.outlier) return known.roomNid === room.nid
      for (const server of servers) {
        const event = await peers.event({ server, signal }, room, eventId).catch((error: unknown) => {
          logger.debug({ err: error, server, eventId }, 'a server does not give an event')
          return undefined
        })
        if (event === undefined) continue
        const whole = await wholeCopies(deps, room, [event], server, servers, signal)
        return (await place(room, whole.events, servers, signal)) > 0
      }
      return false
    },

    async backfill(roomId, beforeDepth, limit) {
      const under = running.get(roomId)
      if (under !== undefined) return under
      if (fruitless.get(roomId) === true) return false
      const job = (async () => {
        const room = await loadResident(context, roomId)
        if (room === undefined) return false
        const from = await wanted(room, beforeDepth)
        // Where nothing is missing nobody was asked: what is missing in a moment may be had.
        if (from.length === 0) return false
        const came = await attempt(room, from, limit)
        if (!came) fruitless.set(roomId, true)
        return came
      })()
      running.set(roomId, job)
      try {
        return await job
      } catch (error) {
        logger.warn({ err: error, roomId }, 'history could not be fetched')
        return false
      } finally {
        running.delete(roomId)
      }
    },
  }
}
