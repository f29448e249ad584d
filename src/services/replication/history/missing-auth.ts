import type { RoomEvent } from '../../../core/event/types.js'
import type { RoomsContext } from '../../rooms/context.js'
import { readStateEvent } from '../../rooms/context.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { checkForeignState, type JudgedEvent } from './check-state.js'
import { storeOutliers } from './import-state.js'
import type { PeerReads } from '../peers/peer-reads.js'

const MAX_ROUNDS = 20
const MAX_EVENTS = 5_000
/** More missing auth events than this are asked for as one chain. */
const MAX_SINGLE = 10
const PARALLEL = 5
const IDS = 500

/** Stored events by id, asked for in bounded queries. */
export async function storedByIds(
  context: Pick<RoomsContext, 'events'>,
  ids: Iterable<string>,
): Promise<Map<string, StoredEvent>> {
  const found = new Map<string, StoredEvent>()
  const distinct = [...new Set(ids)]
  for (let i = 0; i < distinct.length; i += IDS) {
    for (const [id, event] of await context.events.byIds(distinct.slice(i, i + IDS))) found.set(id, event)
  }
  return found
}

export const judgedOf = (events: ReadonlyMap<string, StoredEvent>): Map<string, JudgedEvent> =>
  new Map([...events].map(([id, { event, rejected }]) => [id, { event, rejected: rejected !== undefined }]))

/** Several single events from one server, a few at a time; those that cannot be had are left out. */
export async function fetchEach(
  peers: PeerReads,
  ask: { readonly server: string; readonly signal: AbortSignal },
  room: RoomSnapshot,
  ids: readonly string[],
): Promise<RoomEvent[]> {
  const found: RoomEvent[] = []
  for (let i = 0; i < ids.length && !ask.signal.aborted; i += PARALLEL) {
    const answers = await Promise.allSettled(
      ids.slice(i, i + PARALLEL).map((id) => peers.event(ask, room, id)),
    )
    for (const answer of answers) {
      if (answer.status === 'fulfilled' && answer.value !== undefined) found.push(answer.value)
    }
    // A server that gives none of these is not asked for the rest.
    if (found.length === 0) break
  }
  return found
}

/**
 * Fetches the auth events of some events which are not here, and theirs, and stores them as outliers after their own
 * checks. What cannot be had is simply still missing afterwards.
 */
export async function fetchMissingAuth(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  room: RoomSnapshot,
  events: Iterable<RoomEvent>,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { context, peers } = deps
  const pool = new Map<string, RoomEvent>()
  for (const event of events) pool.set(event.id, event)
  const chain = new Map<string, RoomEvent>()

  const lacking = async (of: Iterable<RoomEvent>): Promise<string[]> => {
    const named = new Set([...of].flatMap((event) => event.authEvents))
    for (const id of named) if (pool.has(id) || chain.has(id)) named.delete(id)
    const stored = await storedByIds(context, named)
    return [...named].filter((id) => !stored.has(id))
  }

  const first = await lacking(pool.values())
  if (first.length === 0) return
  for (const server of servers) {
    let wanted = await lacking([...pool.values(), ...chain.values()])
    for (let round = 0; round < MAX_ROUNDS && wanted.length > 0 && !signal.aborted; round++) {
      const ask = { server, signal }
      let got: RoomEvent[]
      if (wanted.length > MAX_SINGLE) {
        const asking = [...pool.values(), ...chain.values()].find((event) =>
          event.authEvents.some((id) => wanted.includes(id)),
        )!
        got = await peers.authChain(ask, room, asking.id).catch(() => [])
      } else {
        got = await fetchEach(peers, ask, room, wanted)
      }
      const fresh = got.filter((event) => !chain.has(event.id) && !pool.has(event.id))
      if (fresh.length === 0 || chain.size + fresh.length > MAX_EVENTS) break
      for (const event of fresh) chain.set(event.id, event)
      wanted = await lacking([...pool.values(), ...chain.values()])
    }
    if (wanted.length === 0) break
  }
  if (chain.size > 0) await storeChain(context, room, [...chain.values()])
}

/** Stores events as outliers after their own checks. Pre: their auth events are here or among them. */
export async function storeChain(
  context: RoomsContext,
  room: RoomSnapshot,
  chain: readonly RoomEvent[],
): Promise<void> {
  const create = await readStateEvent(context, room, 'm.room.create', '')
  if (create === undefined) return
  const stored = await storedByIds(
    context,
    chain.flatMap((event) => [event.id, ...event.authEvents]),
  )
  const known = judgedOf(stored).set(create.event.id, { event: create.event, rejected: false })
  const checked = await checkForeignState(
    { rules: room.rules, roomId: room.roomId, state: [create.event], authChain: chain, known },
    context.local,
  )
  await storeOutliers(context, room.nid, checked)
}
