import type { RoomEvent } from '../../../core/event/types.js'
import { checkAuth } from '../../../core/auth/check.js'
import { MatrixError } from '../../../core/errors.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { isServerName } from '../../../core/ids/server-name.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import { createKeyedQueue, QueueFullError } from '../../../platform/keyed-queue.js'
import { createPace } from '../../../platform/pace.js'
import { createSemaphore, SemaphoreFullError, type Semaphore } from '../../../platform/semaphore.js'
import { displacePartialEvents } from '../../../storage/tables/partial-rooms.js'
import { roomForImport } from '../../../storage/tables/room-imports.js'
import { refuseWhereAccessRejects } from '../../rooms/access.js'
import { scheduleRepair } from '../../../storage/tables/room-repairs.js'
import { applyEvent } from '../../rooms/apply-event.js'
import { isResident } from '../../rooms/residence.js'
import { withServers } from '../../rooms/roster.js'
import type { StateChange, WorkingRoom } from '../../rooms/working-room.js'
import { checkForeignState, type CheckedState, type JudgedEvent } from '../history/check-state.js'
import { sendMembership, withSomeServer, type HandshakeDeps } from './handshake.js'
import { storeOutliers, storeRemoteMembers, storeState } from '../history/import-state.js'
import { readListAnswer } from '../peers/peer-answer.js'
import { badAnswer } from '../peers/peer-failure.js'
import { accepted } from '../peers/pdu-intake.js'
import { atPace } from '../peers/reading-pace.js'
import { withSignaturesOf } from '../peers/same-event.js'
import { eventFromTemplate, requestTemplate } from '../peers/template.js'

export type JoinRemote = (
  userId: string,
  roomId: string,
  via: readonly string[],
  content: JsonObject,
) => Promise<void>

/** Joins whose answers are in memory at once, and joins that may wait for that. */
const AT_ONCE = 6
/** Joins through one server, those included whose answer has not begun. */
const AT_ONCE_THROUGH_ONE = 2
/** What a peer has to bring in each window, in bytes; and while other joins wait for its place. */
const MIN_BYTES = 32 * 1024
const MIN_BYTES_WANTED = 1024 * 1024
const MAX_WAITING = 500
/** Joins of one room, the running one included. */
const MAX_PER_ROOM = 50
const LOOKUP_BATCH = 500
/** After a join other servers are asked what they have. */
export const SECOND_LOOK_MS = 60_000
const MAX_SERVERS_IN_ROOM = 20_000

/** Joining rooms through other servers. SPEC: https://spec.matrix.org/v1.19/server-server-api/#joining-rooms */
export function createJoin(deps: HandshakeDeps): JoinRemote {
  const { context } = deps
  const perRoom = createKeyedQueue({ maxPerKey: MAX_PER_ROOM, maxTotal: MAX_WAITING })
  const slots = createSemaphore({ permits: AT_ONCE, maxWaiting: MAX_WAITING })

  const throughOne = new Map<string, Semaphore>()

  async function oneOfTwo(server: string, task: () => Promise<void>): Promise<void> {
    const own = throughOne.get(server) ?? createSemaphore({ permits: AT_ONCE_THROUGH_ONE })
    throughOne.set(server, own)
    try {
      await own.run(task)
    } finally {
      if (own.active === 0) throughOne.delete(server)
    }
  }

  /** A peer may take its time for large rooms while nobody waits for its place. */
  const minBytes = (): number => (slots.waiting > 0 ? MIN_BYTES_WANTED : MIN_BYTES)

  async function through(
    server: string,
    {
      userId,
      roomId,
      content,
    }: { readonly userId: string; readonly roomId: string; readonly content: JsonObject },
    needsMembers = false,
  ): Promise<void> {
    let wasWholeAlready = false
    const timeoutMs = deps.options?.requestTimeoutMs ?? 20_000
    const template = await requestTemplate(deps.client, { kind: 'join', server, roomId, userId, timeoutMs })
    const event = eventFromTemplate(context, template, { roomId, userId, content })
    const omitMembers = !needsMembers && (await mayOmitMembers(deps, roomId))
    await oneOfTwo(server, async () => {
      // What has not begun to come takes no memory, and no place.
      const body = await sendMembership(deps, 'join', server, event, omitMembers)
      try {
        await slots.run(async () => {
          const pace = { windowMs: deps.options?.paceWindowMs ?? 20_000, minBytes }
          const began = context.clock.monotonic()
          const answer = await readJoinAnswer(deps, { server, event, omitMembers }, atPace(body, pace))
          const read = context.clock.monotonic()
          wasWholeAlready = !(await takeIn(deps, server, answer))
          const [readMs, storeMs] = [read - began, context.clock.monotonic() - read].map(Math.round)
          const events = answer.checked.events.length
          const partial = answer.servers !== undefined
          context.logger.info({ server, roomId, events, partial, readMs, storeMs }, 'a room was joined through another server') // prettier-ignore
        })
      } finally {
        body.destroy()
      }
    })
    // Its members came in while the answer without them was on its way.
    if (wasWholeAlready) await through(server, { userId, roomId, content }, true)
  }

  return async (userId, roomId, via, content) => {
    try {
      // Joins of one room follow each other, so that its state is brought in once at a time.
      await perRoom.run(roomId, () => {
        const join = (): Promise<void> =>
          withSomeServer(deps, via, (server) => through(server, { userId, roomId, content }))
        return deps.arrivals === undefined ? join() : deps.arrivals.during(roomId, join)
      })
    } catch (error) {
      if (error instanceof QueueFullError || error instanceof SemaphoreFullError) {
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many joins are under way', { retry_after_ms: 5_000 })
      }
      throw error
    }
  }
}

interface JoinAnswer {
  /** Our event, with the signature of the server that let the user in. */
  readonly event: RoomEvent
  readonly checked: CheckedState
  /** Nothing of the state was left out, such as for a key that could not be had. */
  readonly isWhole: boolean
  /** Members were left out: the servers in the room. Undefined where the state is all there is. */
  readonly servers: readonly string[] | undefined
}

/** Sends the event and judges the whole answer before anything of it is stored. */
async function readJoinAnswer(
  deps: HandshakeDeps,
  {
    server,
    event,
    omitMembers,
  }: { readonly server: string; readonly event: RoomEvent; readonly omitMembers: boolean },
  body: AsyncIterable<Uint8Array>,
): Promise<JoinAnswer> {
  const { context } = deps
  const { rules, roomId } = event
  const open = () => deps.intake.open(rules, roomId, { origin: server })
  const inflow = { state: open(), auth_chain: open() }
  const { envelope: raw } = await readListAnswer(body, Object.keys(inflow), {
    onElement: (list, element) => inflow[list as keyof typeof inflow].add(element),
  })
  const envelope = Array.isArray(raw) ? (raw as readonly Json[])[1] : raw
  if (!isObject(envelope)) throw badAnswer('the answer to the join is no object')
  const servers = envelope['members_omitted'] === true ? serversIn(envelope, context.serverName) : undefined
  if (servers !== undefined && !omitMembers) throw badAnswer('members were left out, which was not asked for')

  const signed = cosigned(event, ownValue(envelope, 'event'))
  const [verdict] = await deps.keys.verifyEventSignatures([signed])
  if (verdict?.ok !== true) throw badAnswer('the server that let the user in has not signed the join')

  const given = await inflow.state.end()
  const state = accepted(given)
  const authChain = accepted(await inflow.auth_chain.end())
  const known = await knownEvents(deps, roomId, [...state, ...authChain])
  const whole = await checkForeignState({ rules, roomId, state, authChain, known }, context.local)
  const checked = servers === undefined ? whole : withCited(whole, signed)
  const allowed = checkAuth(
    signed,
    // A handful of them are asked for: a map of all takes longer.
    (type, stateKey) => checked.state.find((one) => one.stateKey === stateKey && one.type === type),
    context.local.verifySignature,
  )
  if (!allowed.ok) throw badAnswer(`the state does not let the user in: ${allowed.reason}`)
  const judged = new Set<string>()
  for (const { id } of checked.events) judged.add(id)
  const isWhole = state.length === given.length && state.every(({ id }) => judged.has(id))
  return { event: signed, checked, isWhole, servers }
}

/**
 * Whether the answer may leave the members out. A room that is here needs them, and so do the access rules of a closed circle, which judge who
 * is in a room.
 */
async function mayOmitMembers({ context, options = {} }: HandshakeDeps, roomId: string): Promise<boolean> {
  if (options.fasterJoins !== true || context.local.access !== undefined) return false
  const room = await context.loader.load(roomId)
  return room?.partial === true || !(await isResident(context, room))
}

/** Throws `FederationError` (`bad-response`) where they are not named. */
function serversIn(envelope: JsonObject, ourName: string): readonly string[] {
  const named = ownValue(envelope, 'servers_in_room')
  if (!Array.isArray(named))
    throw badAnswer('members were left out, and the servers in the room are not named')
  const servers = (named as readonly Json[]).slice(0, MAX_SERVERS_IN_ROOM)
  return [...new Set(servers.filter((name) => typeof name === 'string'))].filter(
    (name) => isServerName(name) && name !== ourName,
  )
}

/** The state with the members that the join cites: by them it was let in. */
function withCited(checked: CheckedState, join: RoomEvent): CheckedState {
  const named = new Set(join.authEvents)
  const there = new Set(
    checked.state.map((event) => (event.type === 'm.room.member' ? event.stateKey : undefined)),
  )
  const cited = checked.events.filter(
    ({ id, type, stateKey }) =>
      type === 'm.room.member' &&
      stateKey !== undefined &&
      named.has(id) &&
      !there.has(stateKey) &&
      !checked.rejected.has(id),
  )
  return { ...checked, state: [...checked.state, ...cited] }
}

/** Our event with the signature that the authorising user's server has added, where the join needs one. */
function cosigned(event: RoomEvent, json: Json | undefined): RoomEvent {
  const authoriser = event.content['join_authorised_via_users_server']
  const signer = typeof authoriser === 'string' ? serverNameOf(authoriser) : undefined
  return signer === undefined || json === undefined ? event : withSignaturesOf(event, signer, json)
}

async function knownEvents(
  { context }: HandshakeDeps,
  roomId: string,
  events: readonly RoomEvent[],
): Promise<Map<string, JudgedEvent>> {
  const known = new Map<string, JudgedEvent>()
  const room = await context.loader.load(roomId)
  if (room === undefined) return known
  const pace = createPace()
  const wanted = new Set<string>()
  for (const event of events) {
    wanted.add(event.id)
    for (const id of event.authEvents) wanted.add(id)
    await pace()
  }
  const ids = [...wanted]
  for (let i = 0; i < ids.length; i += LOOKUP_BATCH) {
    await pace()
    for (const [id, stored] of await context.events.byIds(ids.slice(i, i + LOOKUP_BATCH))) {
      if (stored.roomNid !== room.nid) continue
      known.set(id, { event: stored.event, rejected: stored.rejected !== undefined })
    }
  }
  return known
}

/**
 * Stores the room. Until the last transaction nobody sees anything of it. False where nothing was stored, because the answer lacks the members of a room that
 * is whole here.
 */
async function takeIn(
  deps: HandshakeDeps,
  server: string,
  { event, checked, isWhole, servers }: JoinAnswer,
): Promise<boolean> {
  const { context } = deps
  const { roomId, rules } = event
  const fresh = await context.local.nids.take('room')
  const row = await context.store.write('rooms.import', function* () {
    const room = yield* roomForImport(fresh, roomId, rules.id)
    // What this one server says of the room is compared with what others say, once things have come to rest.
    if (servers === undefined)
      yield* scheduleRepair(room.nid, isWhole ? server : '', context.clock.now() + SECOND_LOOK_MS)
    return room
  })
  if (row.version !== rules.id) throw badAnswer('the room is known here with another version')
  context.loader.forget(roomId)
  context.events.forgetMeta(row.nid)
  const before = await context.loader.load(roomId)
  const resident = await isResident(context, before)
  if (before?.partial === true && !resident) await displaceEvents(context, before.nid)

  const nids = await storeOutliers(context, row.nid, checked)
  const root = await storeState(context, row.nid, checked.state, nids)
  if (!resident) {
    await storeRemoteMembers(context, row.nid, checked.state, nids, context.serverName)
    context.rosters.forget(row.nid)
  }
  return context.writer.create(roomId, rules, async (room) => {
    const stays = room.root !== undefined && room.roster.local.size > 0
    if (servers !== undefined && stays && !room.partial) return false
    // Of what lacks members the rest is asked for later.
    const peerState = servers === undefined ? { peerState: root } : {}
    const options = { live: true, origin: server, stateBefore: root, isSettled: true, ...peerState }
    if (servers !== undefined) {
      room.partial = true
      room.partialJoin = { via: server, servers, due: context.clock.now(), begins: !stays }
      room.roster = withServers(room.roster, servers)
    } else if (!stays) room.partial = false
    const stored = await applyEvent(
      room,
      event,
      stays ? options : { ...options, adopt: await localMembers(deps, room, checked, nids) },
      context.local,
    )
    // Thrown, so that nothing of it is written: the user is not in the room.
    refuseWhereAccessRejects(stored, 'This room is not open to you')
    if (stored.rejected !== undefined || stored.softFailed)
      throw badAnswer('the join is not allowed by the state')
    return true
  })
}

/** What took its place in a room that was left before its members were known. */
async function displaceEvents(
  { store, events, states }: HandshakeDeps['context'],
  roomNid: number,
): Promise<void> {
  for (;;) {
    const nids = await store.write('rooms.displace', () => displacePartialEvents(roomNid, LOOKUP_BATCH))
    events.forget(nids)
    states.forgetSeen(roomNid)
    if (nids.length < LOOKUP_BATCH) return
  }
}

/** What the state says about users of this server: their rows change together with the room. */
async function localMembers(
  { context }: HandshakeDeps,
  room: WorkingRoom,
  { state }: CheckedState,
  nids: ReadonlyMap<string, number>,
): Promise<StateChange[]> {
  const members = state.filter(
    (event) => event.type === 'm.room.member' && serverNameOf(event.stateKey!) === context.serverName,
  )
  const byNid = await context.events.byNids(members.map((event) => nids.get(event.id)!))
  const joinedBefore = room.roster.local
  return members.flatMap((event): StateChange[] => {
    const after = byNid.get(nids.get(event.id)!)
    if (after === undefined || joinedBefore.has(event.stateKey!)) return []
    return [{ type: event.type, stateKey: event.stateKey!, before: undefined, after }]
  })
}
