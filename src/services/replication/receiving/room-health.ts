import { MatrixError, notFound } from '../../../core/errors.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { startDeadline } from '../../../platform/deadline.js'
import { earlySenders } from '../../../storage/tables/events.js'
import { FederationError, type FederationClient } from '../../federation/client.js'
import type { RoomComparison, RoomHealing, RoomHealth, StateDifference } from './room-comparison.js'
import { readWholeState, type RoomsContext } from '../../rooms/context.js'
import { mergeStateBefore } from '../../rooms/merge-state.js'
import { unableForNow } from '../../rooms/await-whole.js'
import { loadResident } from '../../rooms/residence.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import { fetchStateBefore } from '../history/fetch-state.js'
import { isPlaced, serversToAsk } from '../history/gap-fill.js'
import { fetchEach, storedByIds } from '../history/missing-auth.js'
import { matrixErrorOf } from '../peers/peer-failure.js'
import type { PeerReads } from '../peers/peer-reads.js'
import { requestTemplate } from '../peers/template.js'
import type { Drain } from './drain.js'
import type { Inbound } from './inbound.js'

const TIMEOUT_MS = 30_000
/** Heads of another server whose states are compared, or taken. */
const MAX_POINTS = 3
const MAX_DIFFERENCES = 100
/** Users of ours for whom a template is asked. */
const MAX_USERS = 5
/** Events that are fetched only to name a difference. */
const MAX_NAMED = 50
const MAX_SERVERS = 5
/** Servers whose word counts beside the one through which a room was joined. */
const SECOND_OPINIONS = 2
/** Oldest events of a room whose senders' servers may know more of it. */
const EARLY = 500

export interface RoomHealthDeps {
  readonly context: RoomsContext
  readonly client: Pick<FederationClient, 'request'>
  readonly peers: PeerReads
  readonly inbound: Pick<Inbound, 'bring'>
  readonly drain: Pick<Drain, 'idle'>
}

interface Ask {
  readonly server: string
  readonly signal: AbortSignal
}

const nameOf = ({ type, stateKey }: RoomEvent): string => `${type}\u0000${stateKey ?? ''}`

export function createRoomHealth(deps: RoomHealthDeps): RoomHealth {
  const { context, peers } = deps

  async function residentRoom(roomId: string): Promise<RoomSnapshot> {
    const room = await loadResident(context, roomId)
    if (room === undefined) throw notFound('Nobody of this server is in such a room')
    if (room.partial) throw unableForNow()
    return room
  }

  /**
   * A template for the leave of one of our users stands on the other server's heads; it is not used for anything else. Who is not in the room
   * as the other one has it gets none: several are tried.
   */
  async function headsOf(room: RoomSnapshot, { server, signal }: Ask): Promise<readonly string[]> {
    const { local } = await context.rosters.of(room.nid)
    const { roomId } = room
    let refusal: unknown = notFound('Nobody of this server is in such a room')
    for (const userId of [...local].slice(0, MAX_USERS)) {
      try {
        const request = { kind: 'leave', server, roomId, userId, timeoutMs: TIMEOUT_MS, signal } as const
        return (await requestTemplate(deps.client, request)).prevEvents
      } catch (error) {
        if (!(error instanceof FederationError) || error.status !== 403) throw error
        refusal = error
      }
    }
    throw refusal
  }

  async function placedHeads(
    room: RoomSnapshot,
    heads: readonly string[],
  ): Promise<ReadonlyMap<string, StoredEvent>> {
    const stored = await storedByIds(context, heads)
    return new Map([...stored].filter(([, event]) => isPlaced(room, event)))
  }

  async function differences(
    ask: Ask,
    room: RoomSnapshot,
    head: string,
    known: StoredEvent | undefined,
  ): Promise<readonly StateDifference[]> {
    const root = known === undefined ? room.root : known.stateBefore
    const ours = new Map<string, string>()
    if (root !== undefined) {
      for (const { event } of await readWholeState(context, room, root)) ours.set(nameOf(event), event.id)
    }
    const { state } = await peers.stateIds(ask, room, head)
    const here = new Set(ours.values())
    const others = state.filter((id) => !here.has(id))
    const stored = await storedByIds(context, others)
    const unknown = others.filter((id) => !stored.has(id))
    const fetched = await fetchEach(peers, ask, room, unknown.slice(0, MAX_NAMED))
    const named = new Map([...[...stored.values()].map(({ event }) => event), ...fetched].map((event) => [event.id, event])) // prettier-ignore
    const theirs = new Map<string, string>()
    const found: StateDifference[] = []
    for (const id of others) {
      const event = named.get(id)
      if (event === undefined) found.push({ type: '?', stateKey: '', ours: undefined, theirs: id })
      else theirs.set(nameOf(event), id)
    }
    const theirIds = new Set(state)
    for (const [name, id] of ours) if (theirIds.has(id)) theirs.set(name, id)
    for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
      if (ours.get(name) === theirs.get(name)) continue
      const [type = '', stateKey = ''] = name.split('\u0000')
      found.push({ type, stateKey, ours: ours.get(name), theirs: theirs.get(name) })
    }
    return found
  }

  async function compare(roomId: string, server: string): Promise<RoomComparison> {
    const room = await residentRoom(roomId)
    const deadline = startDeadline(TIMEOUT_MS)
    try {
      const theirHeads = await headsOf(room, { server, signal: deadline.signal })
      const placed = await placedHeads(room, theirHeads)
      const points: RoomComparison['points'][number][] = []
      for (const head of theirHeads.slice(0, MAX_POINTS)) {
        const known = placed.get(head)
        const found = await differences({ server, signal: deadline.signal }, room, head, known)
        points.push({
          head,
          known: known !== undefined,
          differences: found.slice(0, MAX_DIFFERENCES),
          more: Math.max(0, found.length - MAX_DIFFERENCES),
        })
      }
      return {
        server,
        ourHeads: room.heads.map((head) => head.id),
        theirHeads,
        unknown: theirHeads.filter((id) => !placed.has(id)),
        points,
      }
    } catch (error) {
      throw error instanceof FederationError ? matrixErrorOf([error]) : error
    } finally {
      deadline.end()
    }
  }

  /** Resolves our state before the heads that both have with the other server's; gives how much that has changed, and whether all of it was had. */
  async function takeState(
    room: RoomSnapshot,
    ask: Ask & { readonly orPart: boolean },
  ): Promise<{ readonly changes: number; readonly whole: boolean }> {
    let changes = 0
    let whole = true
    let compared = 0
    for (const head of room.heads.slice(0, MAX_POINTS)) {
      const fetched = await fetchStateBefore(deps, room, head.id, [ask.server], ask.signal)
      if (fetched !== undefined && fetched.absent > 0) whole = false
      if (fetched === undefined) {
        const stored = await context.events.byId(head.id)
        // What we have said last may not have arrived there.
        whole &&= stored !== undefined && serverNameOf(stored.event.sender) === context.serverName
        continue
      }
      if (fetched.absent > 0 && !ask.orPart) continue
      compared += 1
      const merged = await context.writer.write(room.roomId, (working) =>
        mergeStateBefore(working, head.id, fetched.root, context.local),
      )
      if (merged === undefined) {
        context.logger.warn(
          { server: ask.server, roomId: room.roomId, eventId: head.id },
          'the state of another server is not taken: it does not allow what follows it',
        )
      }
      changes += merged?.length ?? 0
    }
    // Where it knows none of our heads, nothing was compared yet: it will know them.
    return { changes, whole: whole && compared > 0 }
  }

  async function healFrom(
    roomId: string,
    server: string,
    orPart: boolean,
    stop?: AbortSignal,
  ): Promise<RoomHealing['servers'][number] & { readonly whole: boolean }> {
    const deadline = startDeadline(TIMEOUT_MS, stop)
    const ask = { server, signal: deadline.signal, orPart }
    try {
      const room = await residentRoom(roomId)
      const heads = await headsOf(room, ask)
      const placed = await placedHeads(room, heads)
      const missing = await fetchEach(peers, ask, room, heads.filter((id) => !placed.has(id))) // prettier-ignore
      await deps.inbound.bring(server, missing.map((event) => event.pdu)) // prettier-ignore
      // What they build on is fetched as for everything that arrives.
      const over = new Promise<void>((resolve) =>
        ask.signal.addEventListener('abort', () => resolve(), { once: true }),
      )
      await Promise.race([deps.drain.idle(), over])
      const { changes, whole } = await takeState(await residentRoom(roomId), ask)
      const brought = (await placedHeads(room, missing.map((event) => event.id))).size // prettier-ignore
      return { server, brought, changes, failure: undefined, whole }
    } catch (error) {
      const expected = error instanceof FederationError || error instanceof MatrixError || deadline.timedOut
      if (!expected) throw error
      context.logger.info({ err: error, server, roomId }, 'a server does not help to heal a room')
      const failure = error instanceof Error ? error.message : 'the time is over'
      return { server, brought: 0, changes: 0, failure, whole: false }
    } finally {
      deadline.end()
    }
  }

  /** Who gives a part of the state may keep the other servers of the room back: those who were there early are known by its oldest events. */
  async function candidates(room: RoomSnapshot): Promise<readonly string[]> {
    const present = await serversToAsk(context, room, [], MAX_SERVERS)
    const early = await context.store.read('roomHealth.early', () => earlySenders(room.nid, EARLY))
    const servers = new Set([...present, ...early.flatMap((userId) => serverNameOf(userId) ?? [])])
    return [...servers].filter((name) => name !== context.serverName)
  }

  return {
    compare,
    async heal(roomId) {
      const room = await residentRoom(roomId)
      const servers: RoomHealing['servers'][number][] = []
      for (const server of await serversToAsk(context, room, [], MAX_SERVERS)) {
        const { whole: _, ...outcome } = await healFrom(roomId, server, true)
        servers.push(outcome)
      }
      return { servers, heads: (await residentRoom(roomId)).heads.length }
    },
    async repair(roomId, via, signal) {
      const room = await loadResident(context, roomId)
      // A room whose members are not known is compared when they are.
      if (room === undefined || room.partial) return 'done'
      const servers = (await candidates(room)).filter((name) => name !== via)
      let opinions = via === '' ? Infinity : SECOND_OPINIONS
      if (servers.length === 0) return via === '' ? 'done' : 'alone'
      let done = false
      for (const server of servers.slice(0, MAX_SERVERS)) {
        const { whole, failure } = await healFrom(roomId, server, false, signal)
        done ||= whole
        if (failure === undefined && --opinions === 0) break
      }
      return done ? 'done' : 'again'
    },
  }
}
