import type { RoomEvent } from '../../../core/event/types.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { startDeadline } from '../../../platform/deadline.js'
import { partialEventsOf, setPeerState } from '../../../storage/tables/partial-rooms.js'
import { scheduleRepair } from '../../../storage/tables/room-repairs.js'
import { MissingPredecessors } from '../../rooms/apply-event.js'
import { becomeWhole, bringMembers } from '../../rooms/become-whole.js'
import type { RoomsContext } from '../../rooms/context.js'
import { peerStateOf, readPeerState, type PeerState } from '../../rooms/peer-state.js'
import { BEGINNING, JoinRefused, redoEvents, type ToRedo, type TrueLine } from '../../rooms/redo-events.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { SECOND_LOOK_MS } from '../handshakes/join.js'
import { causalOrder } from '../history/causal-order.js'
import { fetchStateBefore } from '../history/fetch-state.js'
import { isPlaced, serversToAsk } from '../history/gap-fill.js'
import { fetchMissingAuth, storeChain, storedByIds } from '../history/missing-auth.js'
import type { PeerReads } from '../peers/peer-reads.js'

/** Servers asked for the state, the one that let us in first. */
const MAX_SERVERS = 20
/** Events judged again in one transaction. */
const CHUNK = 100
/** How often what came meanwhile is caught up with, before the attempt is given up. */
const MAX_ROUNDS = 100
/** Predecessors of the join that are each asked for their state; of more, the state before the join itself is asked for. */
const MAX_PREVS = 3

interface Deps {
  readonly context: RoomsContext
  readonly peers: PeerReads
}

interface Ask {
  readonly server: string
  readonly signal: AbortSignal
}

/** An event that is to be judged again, with what it needs. */
interface Waiting extends ToRedo {
  readonly event: RoomEvent
}

/**
 * Makes a partial room whole. The servers in it are asked in turn; the first whose state allows the join is taken at its word, as after any other join.
 * False when nobody helped; the room then stays as it is. Rejects when it is aborted.
 */
export async function completeRoom(
  deps: Deps,
  { roomId, via }: { readonly roomId: string; readonly via: string },
  timeoutMs: number,
  stop: AbortSignal,
): Promise<boolean> {
  const { context } = deps
  const deadline = startDeadline(timeoutMs, stop)
  try {
    const room = await context.loader.load(roomId)
    if (room?.partial !== true) return true
    for (const server of await serversToAsk(context, room, [via], MAX_SERVERS)) {
      deadline.signal.throwIfAborted()
      const ask = { server, signal: deadline.signal }
      try {
        if (!(await redoRoom(deps, room, ask))) continue
        context.logger.info({ roomId, server }, 'the members of a room are known')
        await context.store.write('partial.compare', () =>
          scheduleRepair(room.nid, via, context.clock.now() + SECOND_LOOK_MS),
        )
        return true
      } catch (error) {
        if (
          deadline.signal.aborted ||
          !(error instanceof JoinRefused || error instanceof MissingPredecessors)
        )
          throw error
        context.logger.warn(
          { err: error, roomId, server },
          'the state that a server gives of a room cannot be used',
        )
        await forgetStates(context, room)
      }
    }
    return false
  } finally {
    deadline.end()
  }
}

/** Whose state was asked for and is not believed. */
async function forgetStates(context: RoomsContext, room: RoomSnapshot): Promise<void> {
  const [first] = await context.store.read('partial.events', () => partialEventsOf(room.nid))
  if (first !== undefined)
    await context.store.write('partial.disbelieve', () => setPeerState(first.event_nid, null))
}

/** What is still to be judged again: the join by which the room came here, and the others in causal order. */
async function waitingOf(
  context: RoomsContext,
  room: RoomSnapshot,
  done: ReadonlySet<number>,
): Promise<Waiting[]> {
  const rows = await context.store.read('partial.events', () => partialEventsOf(room.nid))
  const open = rows.filter((row) => !done.has(row.event_nid))
  const stored = await context.events.byNids(open.map((row) => row.event_nid))
  const byId = new Map<string, Waiting>()
  for (const { event_nid: nid, peer_state: peerState } of open) {
    const event = stored.get(nid)?.event
    if (event !== undefined) byId.set(event.id, { nid, event, peerStates: readPeerState(peerState) })
  }
  const all = [...byId.values()]
  // By the join the room came here: it comes first, also where what it follows was sent here afterwards.
  const join = done.size > 0 ? [] : all.slice(0, 1)
  const rest = causalOrder(all.slice(join.length).map(({ event }) => event)).map((event) =>
    byId.get(event.id)!,
  )
  const later = new Set(rest.map(({ event }) => event.id))
  return [...join.map((item) => ({ ...item, later })), ...rest]
}

/** Asks for the states before events of which predecessors are missing: the joins of users of this server. False where the server does not give one. */
async function askForStates(deps: Deps, room: RoomSnapshot, ask: Ask): Promise<boolean> {
  const { context } = deps
  for (const { nid, event, peerStates, later } of await waitingOf(context, room, new Set())) {
    if (peerStates.length > 0) continue
    const prevs = await storedByIds(context, event.prevEvents)
    const lacking = [...new Set(event.prevEvents)].filter(
      (id) => !isPlaced(room, prevs.get(id)) || later?.has(id) === true,
    )
    if (lacking.length === 0) continue
    const states = await statesFrom(deps, room, ask, event, lacking)
    if (states === undefined) return false
    await context.store.write('partial.state', () => setPeerState(nid, peerStateOf(states)))
  }
  return true
}

async function statesFrom(
  deps: Deps,
  room: RoomSnapshot,
  ask: Ask,
  event: RoomEvent,
  lacking: readonly string[],
): Promise<readonly PeerState[] | undefined> {
  if (lacking.length <= MAX_PREVS) {
    const states: PeerState[] = []
    for (const id of lacking) {
      const state = await stateAfter(deps, room, ask, id)
      if (state === undefined) break
      states.push(state)
    }
    if (states.length === lacking.length) return states
  }
  const whole = await fetchStateBefore(deps, room, event.id, [ask.server], ask.signal)
  return whole === undefined || whole.absent > 0 ? undefined : [{ root: whole.root, then: undefined }]
}

/** The state after an event that is not here, as a server has it. */
async function stateAfter(
  deps: Deps,
  room: RoomSnapshot,
  ask: Ask,
  id: string,
): Promise<PeerState | undefined> {
  const { context, peers } = deps
  const event = await peers.event(ask, room, id).catch((error: unknown) => {
    context.logger.debug(
      { err: error, server: ask.server, eventId: id },
      'a server does not give a predecessor',
    )
    return undefined
  })
  if (event === undefined) return undefined
  const fetched = await fetchStateBefore(deps, room, id, [ask.server], ask.signal)
  if (fetched === undefined || fetched.absent > 0) return undefined
  if (event.stateKey === undefined) return { root: fetched.root, then: undefined }
  await fetchMissingAuth(deps, room, [event], [ask.server], ask.signal)
  await storeChain(context, room, [event])
  const stored = (await storedByIds(context, [id])).get(id)
  return stored === undefined ? undefined : { root: fetched.root, then: stored.nid }
}

/** False where the server does not help, or more came all the time than could be judged again. */
async function redoRoom(deps: Deps, room: RoomSnapshot, ask: Ask): Promise<boolean> {
  const { context } = deps
  const done = new Set<number>()
  const joined = new Set<string>()
  let line: TrueLine = BEGINNING
  let first: number | undefined
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (!(await askForStates(deps, room, ask))) return false
    const waiting = await waitingOf(context, room, done)
    first ??= waiting[0]?.nid
    if (first === undefined) return false
    for (let i = 0; i < waiting.length; i += CHUNK) {
      ask.signal.throwIfAborted()
      const part = waiting.slice(i, i + CHUNK)
      const before = line
      line = await context.writer.write(room.roomId, (working) =>
        redoEvents(working, before, part, context.local),
      )
      for (const { nid, event } of part) {
        done.add(nid)
        const server = event.stateKey === undefined ? undefined : serverNameOf(event.stateKey)
        if (event.type === 'm.room.member' && event.content['membership'] === 'join' && server !== undefined)
          joined.add(server)
      }
    }
    const beginning = (await context.events.byNids([first])).get(first)?.stateBefore
    const now = await context.loader.load(room.roomId)
    if (beginning === undefined || now === undefined) return false
    if (!now.partial) return true
    const present = new Set((await context.rosters.of(room.nid)).servers.keys())
    const brought = await bringMembers(context, now, beginning)
    const newServers = [...new Set([...brought.servers, ...joined])].filter(
      (server) => server !== context.serverName && !present.has(server),
    )
    const [end, carrier] = [line, first]
    const isWhole = await context.writer.write(room.roomId, async (working) => {
      // What came meanwhile is judged again first.
      if (working.pending.some((item) => item.provisional !== undefined)) return false
      if ((await waitingOf(context, room, done)).length > 0) return false
      await becomeWhole(working, end, { brought, carrier, newServers }, context.local)
      return true
    })
    if (isWhole) return true
  }
  return false
}
