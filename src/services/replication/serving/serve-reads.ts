import { notFound } from '../../../core/errors.js'
import { redactedEvent } from '../../../core/event/redact.js'
import type { Json, JsonObject } from '../../../core/json/value.js'
import type { RoomsContext } from '../../rooms/context.js'
import { unableForNow } from '../../rooms/await-whole.js'
import { isStoredExpired } from '../../rooms/room-retention.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { serverMayRead } from '../../timeline/visibility.js'
import { objectWithEventIds, objectWithEvents } from './answer-text.js'
import { authChainOf } from './auth-chain.js'
import { isInRoom, rememberedRoom } from './serve-checks.js'

/**
 * What servers with a user in a room may read of it, also after the last user here has left: up to then. Events that the room's history visibility hides from them are given
 * redacted. An event of another room, or one that was refused, is as unknown as one that is not here; but the state before a refused one is
 * told, since what others accept may stand on it.
 * All throw M_NOT_FOUND for rooms and events that are not here, M_FORBIDDEN for servers outside of the room or shut out.
 */
export interface FederationReads {
  event(origin: string, eventId: string): Promise<JsonObject>
  /** The text of `{pdus, auth_chain}`: the state before the event. */
  state(origin: string, roomId: string, eventId: string): Promise<AsyncIterable<string>>
  /** The text of `{pdu_ids, auth_chain_ids}`. */
  stateIds(origin: string, roomId: string, eventId: string): Promise<AsyncIterable<string>>
  /** The text of `{auth_chain}`. */
  eventAuth(origin: string, roomId: string, eventId: string): Promise<AsyncIterable<string>>
  backfill(
    origin: string,
    roomId: string,
    from: { readonly eventIds: readonly string[]; readonly limit: number },
  ): Promise<JsonObject>
  missingEvents(
    origin: string,
    roomId: string,
    range: {
      readonly latest: readonly string[]
      readonly earliest: readonly string[]
      readonly limit?: number | undefined
      readonly minDepth?: number | undefined
    },
  ): Promise<{ readonly events: readonly JsonObject[] }>
}

const MAX_BACKFILL = 100
const MAX_MISSING = 20
const DEFAULT_MISSING = 10
/** Events named by one request. */
const MAX_NAMED = 50
/** Events gone through for one page: refused ones lie between those that are given. */
const MAX_WALKED = 1_000

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#retrieving-events */
export function createFederationReads(context: RoomsContext): FederationReads {
  const { clock, serverName } = context

  /** An event with its place in the room's history, refused or not. */
  async function placedEvent(room: RoomSnapshot, eventId: string): Promise<StoredEvent> {
    const stored = await context.events.byId(eventId)
    if (stored === undefined || stored.roomNid !== room.nid || stored.outlier)
      throw notFound(`Event ${eventId.slice(0, 255)} not found`)
    return stored
  }

  async function stateBefore(
    origin: string,
    roomId: string,
    eventId: string,
  ): Promise<{ readonly state: number[]; readonly chain: number[] }> {
    const room = await rememberedRoom(context, roomId, origin)
    // Another server would take what is provisional for the truth.
    if (room.partial) throw unableForNow(403)
    const stored = await placedEvent(room, eventId)
    const root = stored.stateBefore
    const state = root === undefined ? [] : [...(await context.states.all(room.nid, root)).values()]
    return { state, chain: await authChainOf(context, room, state) }
  }

  /** Events as the server may see them. Those with the same state are asked about once. */
  async function shown(
    room: RoomSnapshot,
    origin: string,
    events: readonly StoredEvent[],
  ): Promise<JsonObject[]> {
    const readable = new Map<string | undefined, boolean>()
    const horizon = (await context.retention?.horizonOf(room)) ?? 0
    const pdus: JsonObject[] = []
    for (const stored of events) {
      const root = stored.stateAfter
      // What nobody here sees any more goes out as what it leaves behind: its place in the room.
      if (isStoredExpired(stored, horizon)) {
        pdus.push(redactedEvent(stored.event).pdu)
        continue
      }
      const may = readable.get(root) ?? (await serverMayRead(context, room, origin, stored))
      readable.set(root, may)
      pdus.push((may ? stored.event : redactedEvent(stored.event)).pdu)
    }
    return pdus
  }

  const transaction = (pdus: readonly Json[]): JsonObject => ({
    origin: serverName,
    origin_server_ts: clock.now(),
    pdus,
  })

  /**
   * Goes back from some events, level by level, until `limit` are found that `keeps` wants. What was refused is
   * gone through and not given.
   */
  async function walkBack(
    room: RoomSnapshot,
    start: readonly string[],
    limit: number,
    options: { readonly skip?: ReadonlySet<string>; readonly minDepth?: number } = {},
  ): Promise<StoredEvent[]> {
    const { skip = new Set(), minDepth = 0 } = options
    const seen = new Set<string>(start)
    const found: StoredEvent[] = []
    let level: readonly string[] = start
    let walked = 0
    while (level.length > 0 && found.length < limit && walked < MAX_WALKED) {
      walked += level.length
      const events = [...(await context.events.byIds(level)).values()]
        .filter((stored) => stored.roomNid === room.nid && !stored.outlier && stored.event.depth >= minDepth)
        .sort((a, b) => b.event.depth - a.event.depth)
      const next: string[] = []
      for (const stored of events) {
        if (stored.rejected === undefined && found.length < limit) found.push(stored)
        for (const id of stored.event.prevEvents) {
          if (seen.has(id) || skip.has(id)) continue
          seen.add(id)
          next.push(id)
        }
      }
      level = next.slice(0, MAX_WALKED)
    }
    return found
  }

  return {
    async event(origin, eventId) {
      const stored = await context.events.byId(eventId)
      const unknown = notFound(`Event ${eventId.slice(0, 255)} not found`)
      // Servers in the room may know every state event of it, also those whose place in history is not here.
      if (stored === undefined || stored.rejected !== undefined) throw unknown
      if (stored.outlier && stored.event.stateKey === undefined) throw unknown
      if (!(await isInRoom(context, stored.event.roomId, origin))) throw unknown
      const room = await rememberedRoom(context, stored.event.roomId, origin)
      return transaction(await shown(room, origin, [stored]))
    },

    async state(origin, roomId, eventId) {
      const { state, chain } = await stateBefore(origin, roomId, eventId)
      return objectWithEvents(context.store, {}, { pdus: state, auth_chain: chain })
    },

    async stateIds(origin, roomId, eventId) {
      const { state, chain } = await stateBefore(origin, roomId, eventId)
      return objectWithEventIds(context.store, { pdu_ids: state, auth_chain_ids: chain })
    },

    async eventAuth(origin, roomId, eventId) {
      const room = await rememberedRoom(context, roomId, origin)
      const stored = await context.events.byId(eventId)
      if (stored === undefined || stored.roomNid !== room.nid || stored.rejected !== undefined) {
        throw notFound(`Event ${eventId.slice(0, 255)} not found`)
      }
      const chain = await authChainOf(context, room, [stored.nid])
      return objectWithEvents(context.store, {}, { auth_chain: chain })
    },

    async backfill(origin, roomId, { eventIds, limit }) {
      const room = await rememberedRoom(context, roomId, origin)
      const start = eventIds.slice(0, MAX_NAMED)
      const events = await walkBack(room, start, Math.max(0, Math.min(limit, MAX_BACKFILL)))
      // An empty answer would pass for the beginning of the room: Synapse then asks nobody else.
      if (events.length === 0 && limit > 0) throw notFound('None of these events is known here')
      return transaction(await shown(room, origin, events))
    },

    async missingEvents(origin, roomId, { latest, earliest, limit = DEFAULT_MISSING, minDepth }) {
      const room = await rememberedRoom(context, roomId, origin)
      const skip = new Set([...earliest.slice(0, MAX_NAMED), ...latest.slice(0, MAX_NAMED)])
      const named = await context.events.byIds(latest.slice(0, MAX_NAMED))
      const start = new Set<string>()
      for (const stored of named.values()) {
        if (stored.roomNid !== room.nid || stored.outlier) continue
        for (const id of stored.event.prevEvents) if (!skip.has(id)) start.add(id)
      }
      const options = { skip, ...(minDepth === undefined ? {} : { minDepth }) }
      const events = await walkBack(room, [...start], Math.max(0, Math.min(limit, MAX_MISSING)), options)
      events.sort((a, b) => a.event.depth - b.event.depth)
      return { events: await shown(room, origin, events) }
    },
  }
}
