import { forbidden, invalidParam } from '../../core/errors.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { startDeadline } from '../../platform/deadline.js'
import type { Requester } from '../requester.js'
import { readStandings, userMaySee, type Standings } from './access.js'
import { foundAtPeer, localRoom, serversFor, type FoundRoom, type LookupDeps } from './room-lookup.js'
import type { Waiting, Walk } from './walk-text.js'
import { createWalks } from './walks.js'

export interface HierarchyQuery {
  readonly roomId: string
  readonly suggestedOnly?: boolean | undefined
  /** Rooms in one answer. */
  readonly limit?: number | undefined
  readonly maxDepth?: number | undefined
  /** `next_batch` of an earlier answer to the same user about the same room. */
  readonly from?: string | undefined
  readonly signal: AbortSignal
}

export interface SpaceHierarchy {
  /**
   * The rooms in a space and in the spaces within, depth first, each once, as far as the user may see them.
   * Throws M_FORBIDDEN for a room that the user may not see, be it there or not; M_INVALID_PARAM.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy
   */
  page(requester: Requester, query: HierarchyQuery): Promise<JsonObject>
  /** Job: removes pages that nobody asked for. */
  prune(): Promise<void>
}

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 100
const DEFAULT_DEPTH = 20
const MAX_DEPTH = 50
/** Rooms that one walk shows, whatever is beyond them. */
const MAX_ROOMS = 1_000
/** Rooms that one walk looks for, found or not. */
const MAX_LOOKED_FOR = 5_000
/** Rooms that wait to be looked at; further ones are passed over. */
const MAX_WAITING = 3_000
/** Milliseconds for one page; what could not be asked until then is in the next one. */
const PAGE_TIME = 15_000
/** Rooms that are looked up at the same time. */
const AHEAD = 6

export function createSpaceHierarchy(deps: LookupDeps): SpaceHierarchy {
  const { context, peers } = deps
  const walks = createWalks(context)

  async function lookUp(
    { roomId, via, told }: Waiting,
    standings: Standings,
    signal: AbortSignal,
  ): Promise<FoundRoom | undefined> {
    const local = await localRoom(deps, roomId)
    if (local !== undefined) return local
    if (told === 'hidden' && standings.get(roomId)?.membership !== 'invite') return undefined
    const described = typeof told === 'object' ? { ...told, children: [], peer: undefined } : undefined
    // Only of a space is there more to learn.
    if (described !== undefined && described.entry['room_type'] !== 'm.space') return described
    const peer = await peers.of(roomId, serversFor(roomId, via, standings), signal)
    return peer === undefined ? described : foundAtPeer(peer)
  }

  function begin(query: HierarchyQuery): Walk {
    return {
      roomId: query.roomId,
      suggestedOnly: query.suggestedOnly ?? false,
      maxDepth: Math.min(query.maxDepth ?? DEFAULT_DEPTH, MAX_DEPTH),
      waiting: [{ roomId: query.roomId, via: [], depth: 0, told: undefined }],
      seen: new Set(),
      lookedFor: 0,
    }
  }

  async function resume(requester: Requester, query: HierarchyQuery, from: string): Promise<Walk> {
    const walk = await walks.get(requester.userId, from)
    if (walk?.roomId !== query.roomId) {
      throw invalidParam('from is not a token of this list, or too old: begin anew without it')
    }
    const sameDepth = query.maxDepth === undefined || Math.min(query.maxDepth, MAX_DEPTH) === walk.maxDepth
    const sameFilter = query.suggestedOnly === undefined || query.suggestedOnly === walk.suggestedOnly
    if (!sameDepth || !sameFilter)
      throw invalidParam('suggested_only and max_depth cannot change between pages')
    return walk
  }

  /** What stands in a room, last first, as a stack wants it. */
  function within(walk: Walk, found: FoundRoom, depth: number): Waiting[] {
    if (depth >= walk.maxDepth) return []
    return childrenOf(walk, found)
      .map((child): Waiting => ({
        roomId: child.roomId,
        via: child.via,
        depth: depth + 1,
        told:
          found.peer?.inaccessible.has(child.roomId) === true
            ? 'hidden'
            : found.peer?.children.get(child.roomId),
      }))
      .toReversed()
  }

  async function advance(
    walk: Walk,
    limit: number,
    standings: Standings,
    signal: AbortSignal,
  ): Promise<{ rooms: JsonObject[]; rest: Walk }> {
    const rooms: JsonObject[] = []
    const waiting = [...walk.waiting]
    const seen = new Set(walk.seen)
    let { lookedFor } = walk
    const isOver = (): boolean => seen.size >= MAX_ROOMS || lookedFor >= MAX_LOOKED_FOR
    const started = new Map<Waiting, Promise<FoundRoom | undefined>>()
    const start = (one: Waiting): Promise<FoundRoom | undefined> => {
      let running = started.get(one)
      if (running === undefined) {
        running = lookUp(one, standings, signal)
        // It is waited for in its turn, if that comes.
        running.catch(() => undefined)
        started.set(one, running)
        lookedFor++
      }
      return running
    }
    while (waiting.length > 0 && rooms.length < limit && !isOver()) {
      const next = waiting.at(-1)!
      if (seen.has(next.roomId)) {
        waiting.pop()
        continue
      }
      const ahead = Math.min(AHEAD, limit - rooms.length)
      for (const one of waiting.slice(-ahead)) if (!seen.has(one.roomId)) void start(one)
      const found = await start(next)
      if (signal.aborted) break
      waiting.pop()
      if (found === undefined || !userMaySee(found.facts, standings)) continue
      seen.add(next.roomId)
      rooms.push({
        ...found.entry,
        children_state: childrenOf(walk, found).map((child): Json => child.event),
      })
      const children = within(walk, found, next.depth).filter((child) => !seen.has(child.roomId))
      // The first children stand last.
      waiting.push(
        ...children.slice(Math.max(0, children.length - Math.max(0, MAX_WAITING - waiting.length))),
      )
    }
    return { rooms, rest: { ...walk, waiting: isOver() ? [] : waiting, seen, lookedFor } }
  }

  return {
    prune: () => walks.prune(),
    async page(requester, query) {
      const walk = query.from === undefined ? begin(query) : await resume(requester, query, query.from)
      const limit = Math.min(query.limit ?? DEFAULT_LIMIT, MAX_LIMIT)
      const standings = await readStandings(context, requester.userId)
      const deadline = startDeadline(PAGE_TIME, query.signal)
      try {
        const { rooms, rest } = await advance(walk, limit, standings, deadline.signal)
        if (query.from === undefined && rooms.length === 0) throw forbidden('You may not see this room')
        if (!rest.waiting.some((one) => !rest.seen.has(one.roomId))) return { rooms }
        return { rooms, next_batch: await walks.put(requester.userId, rest) }
      } finally {
        deadline.end()
      }
    },
  }
}

const childrenOf = (walk: Walk, found: FoundRoom): FoundRoom['children'] =>
  walk.suggestedOnly ? found.children.filter((child) => child.suggested) : found.children
