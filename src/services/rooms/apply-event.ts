import { checkAuth } from '../../core/auth/check.js'
import { checkAuthEvents } from '../../core/auth/auth-events.js'
import { authStateKeys } from '../../core/auth/auth-event-keys.js'
import { redactedEvent } from '../../core/event/redact.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { ALLOW, type RoomEvent, type Verdict } from '../../core/event/types.js'
import { isSignedByPolicy, needsPolicySignature, POLICY_STATE } from '../../core/policy-server.js'
import { createEventIdOf } from '../../core/ids/room-id.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { StateDiff } from '../../core/state-trie/read.js'
import { judgeAccess } from './access.js'
import { withCitedMembers } from './cited-members.js'
import { destinationsOf, redactionOf, type LocalEventDeps } from './local-event.js'
import { boundedHeads } from './heads.js'
import { peerStateOf } from './peer-state.js'
import { policyServerOf } from './policy-servers.js'
import { mayRedact } from './redaction.js'
import { isExpired } from './room-retention.js'
import { resolveRoots } from './resolve-roots.js'
import { txnMark, type StoredEvent } from './stored-event.js'
import {
  addPending,
  eventsByIds,
  eventsByNids,
  mapKey,
  setState,
  stateEvents,
  type ClientTxn,
  type Head,
  type ReadAhead,
  type StateChange,
  type WorkingRoom,
} from './working-room.js'

export interface ApplyOptions {
  /** False for backfill: the event takes its place in history and changes nothing now. */
  readonly live: boolean
  /** The server that handed it over. */
  readonly origin: string
  /** Send it on to the other servers in the room: what a resident server does for those who join through it. */
  readonly relay?: boolean
  /** The state before it, where predecessors are missing and a peer was asked. */
  readonly stateBefore?: NodeName
  /** Where it stands among events of its depth, for backfill. */
  readonly ord?: number
  readonly clientTxn?: ClientTxn
  /** The room has taken it already, as others say: its policy server has no part in that. */
  readonly isSettled?: boolean
  /**
   * The room begins anew with `stateBefore`, because nobody was here to follow it: older heads count no more. The
   * changes that this brings, beside the event's own, for whoever follows them.
   */
  readonly adopt?: readonly StateChange[]
  /** What another server has there, of which `stateBefore` is made: what is judged again in a partial room needs it once more. */
  readonly peerState?: NodeName
}

/** A predecessor is missing, so the state before the event cannot be known. Fetch, or ask a peer for the state. */
export class MissingPredecessors extends Error {
  readonly ids: readonly string[]
  constructor(ids: readonly string[]) {
    super(`${ids.length} predecessors are missing`)
    this.name = 'MissingPredecessors'
    this.ids = ids
  }
}

const stateOf =
  (events: ReadonlyMap<string, StoredEvent>) =>
  (type: string, stateKey: string): RoomEvent | undefined =>
    events.get(mapKey({ type, stateKey }))?.event

/**
 * Takes an event with all its checks into a working room: its auth events, the state before it, the current state.
 * Rejected and soft-failed events are kept, so that what refers to them can be judged.
 * Pre: format, hash and signatures are checked; auth events that can be had are here.
 * Throws `MissingPredecessors`.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export async function applyEvent(
  room: WorkingRoom,
  event: RoomEvent,
  options: ApplyOptions,
  deps: LocalEventDeps,
): Promise<StoredEvent> {
  const { readers } = deps
  const ahead = await aheadOf(room, event, deps)
  const known = room.byId.get(event.id) ?? ahead.known
  const authEvents = await authEventsOf(room, event, deps)
  if (known !== undefined && !known.outlier) return known

  let stateBefore = options.stateBefore ?? (await stateBeforeOf(room, event, deps))
  if (options.adopt !== undefined) {
    room.root = stateBefore
    room.heads = []
  }
  const nid = known?.nid ?? (await deps.nids.take('event'))
  const rootBefore = room.root
  const provisional = room.partial && options.live
  if (provisional && stateBefore !== undefined) {
    const cited = [...authEvents.values()]
    stateBefore = await withCitedMembers(room, stateBefore, cited, readers)
    if (room.root !== undefined) room.root = await withCitedMembers(room, room.root, cited, readers)
  }
  let verdict = judgeByAuthEvents(event, authEvents, deps)
  if (verdict.ok) verdict = await judgeByState(room, event, stateBefore, deps)
  const rejected = verdict.ok ? undefined : verdict.rule
  const key = event.stateKey === undefined ? undefined : { type: event.type, stateKey: event.stateKey }
  const replaces =
    key === undefined || stateBefore === undefined
      ? undefined
      : (await readers.states.read(room.base.nid, stateBefore, [key], room.nodes)).get(mapKey(key))
  const stateAfter =
    key === undefined || rejected !== undefined
      ? stateBefore
      : await setState(room, stateBefore, key, nid, readers)

  let softFailed = false
  if (options.live && rejected === undefined && room.root !== undefined && room.root !== stateBefore) {
    softFailed = !(await judgeByState(room, event, room.root, deps)).ok
  }
  if (options.live && options.isSettled !== true && rejected === undefined && !softFailed)
    softFailed = !(await isRecommended(room, event, deps))
  const shown = rejected === undefined && !softFailed
  const isOver = await isTooOld(room, event, deps)
  const early = shown ? await earlyRedaction(room, event, stateBefore, ahead, deps) : undefined
  const stored: StoredEvent = {
    nid,
    roomNid: room.base.nid,
    event: early?.event ?? (isOver ? redactedEvent(event) : event),
    pos: undefined,
    ord: options.live || !shown ? undefined : options.ord,
    outlier: false,
    rejected,
    softFailed,
    stateBefore,
    stateAfter,
    authNids: [...authEvents.values()].map((item) => item.nid),
    replaces,
    redactedBy: early?.by,
    txn: txnMark(options.clientTxn),
  }
  const live = options.live && shown
  // Visible to the resolution below, which may have to weigh this very event.
  room.byNid.set(nid, stored)
  room.byId.set(event.id, stored)
  if (!live) room.root = rootBefore
  const changes = live ? await advance(room, stored, rootBefore, deps) : []
  const prevs = await eventsByIds(room, event.prevEvents, readers)
  addPending(
    room,
    {
      stored,
      json: canonicalJson(stored.event.pdu, room.rules.strictCanonicalJson ? 'strict' : 'lenient'),
      live,
      ...(options.adopt === undefined ? {} : { isArrival: true as const }),
      stateChanges: [...(options.adopt ?? []), ...changes],
      // Beyond what it says itself it can change the state only by what lies on other branches.
      fromResolution: changes.filter((change) => change.after?.nid !== nid),
      destinations:
        options.relay === true && shown
          ? destinationsOf(room, event, readers.serverName).filter((server) => server !== options.origin)
          : [],
      unread: live ? await deps.unreadEffect(room, event) : undefined,
      isNew: false,
      missing: event.prevEvents.filter((id) => prevs.get(id)?.outlier !== false),
      redaction: shown ? await redactionOf(room, event, stateBefore, deps) : undefined,
      clientTxn: options.clientTxn,
      ...(provisional ? { provisional: { peerState: peerStateText(options.peerState) } } : {}),
    },
    readers,
  )
  return stored
}

const peerStateText = (root: NodeName | undefined): string | null =>
  root === undefined ? null : peerStateOf([{ root, then: undefined }])

export async function judgeByState(
  room: WorkingRoom,
  event: RoomEvent,
  root: NodeName | undefined,
  deps: LocalEventDeps,
): Promise<Verdict> {
  const { readers, verifySignature } = deps
  // A create event has no state before it: the auth rules have judged it by itself.
  const verdict =
    root === undefined
      ? ALLOW
      : checkAuth(
          event,
          stateOf(await stateEvents(room, authStateKeys(event, room.rules), readers, root)),
          verifySignature,
        )
  return verdict.ok && deps.access !== undefined
    ? judgeAccess(room, event, root, readers, deps.access)
    : verdict
}

/** Whether an event that was soft-failed would not be, as the room is now. */
export async function isAllowedNow(
  room: WorkingRoom,
  event: RoomEvent,
  deps: LocalEventDeps,
): Promise<boolean> {
  return (await judgeByState(room, event, room.root, deps)).ok && isRecommended(room, event, deps)
}

/** What comes from elsewhere when its time here is over already leaves nothing but its place in the room. */
async function isTooOld(
  { base }: WorkingRoom,
  event: RoomEvent,
  { retention }: LocalEventDeps,
): Promise<boolean> {
  if (retention === undefined || event.stateKey !== undefined) return false
  return isExpired(event, await retention.horizonOf(base)) && !retention.isHeld(base.roomId, event.sender)
}

/** The event becomes a head; gives what that changes in the state of before. */
async function advance(
  room: WorkingRoom,
  stored: StoredEvent,
  before: NodeName | undefined,
  deps: LocalEventDeps,
): Promise<StateChange[]> {
  await becomeHead(room, stored, deps)
  return before === room.root ? [] : stateChanges(room, before, room.root, deps)
}

/** The event becomes a head, and the room's state what the heads resolve to. */
export async function becomeHead(
  room: WorkingRoom,
  stored: StoredEvent,
  deps: LocalEventDeps,
): Promise<void> {
  const { readers } = deps
  const { event } = stored
  const named = new Set(event.prevEvents)
  let others = room.heads.filter((head) => !named.has(head.id) && head.nid !== stored.nid)
  if (others.length === 0) {
    room.root = stored.stateAfter
  } else {
    const events = await eventsByNids(
      room,
      others.map((head) => head.nid),
      readers,
    )
    const own: Head = { nid: stored.nid, id: event.id, depth: event.depth }
    const serverOf = ({ nid }: Head): string =>
      serverNameOf((nid === stored.nid ? event : events.get(nid)?.event)?.sender ?? '') ?? ''
    others = boundedHeads([...others, own], serverOf).filter((head) => head !== own)
    const roots = others.flatMap((head) => events.get(head.nid)?.stateAfter ?? [])
    if (stored.stateAfter !== undefined) roots.push(stored.stateAfter)
    room.root = await resolveRoots(room, roots, deps)
  }
  room.heads = [...others, { nid: stored.nid, id: event.id, depth: event.depth }]
}

/** The difference of two states as events. */
export async function stateChanges(
  room: WorkingRoom,
  before: NodeName | undefined,
  after: NodeName | undefined,
  deps: Pick<LocalEventDeps, 'readers'>,
): Promise<StateChange[]> {
  return changesOf(room, await deps.readers.states.diff(room.base.nid, before, after, room.nodes), deps)
}

export async function changesOf(
  room: WorkingRoom,
  diff: StateDiff,
  { readers }: Pick<LocalEventDeps, 'readers'>,
): Promise<StateChange[]> {
  const names = await readers.states.keysOf([...diff.keys()])
  const nids = [...diff.values()].flat().filter((nid) => nid !== undefined)
  const events = await eventsByNids(room, nids, readers)
  const eventOf = (nid: number | undefined): StoredEvent | undefined =>
    nid === undefined ? undefined : events.get(nid)
  return [...diff].flatMap(([key, [was, is]]) => {
    const name = names.get(key)
    return name === undefined ? [] : [{ ...name, before: eventOf(was), after: eventOf(is) }]
  })
}

/** Whether the room's policy server, if it uses one, has signed the event. */
export async function isRecommended(
  room: WorkingRoom,
  event: RoomEvent,
  deps: LocalEventDeps,
): Promise<boolean> {
  if (room.root === undefined || !needsPolicySignature(event)) return true
  const named = (await stateEvents(room, [POLICY_STATE], deps.readers)).get(mapKey(POLICY_STATE))
  const policy = policyServerOf(named, room.roster, deps.readers.serverName)
  return policy === undefined || isSignedByPolicy(event, policy, deps.verifySignature)
}

export async function authEventsOf(
  room: WorkingRoom,
  event: RoomEvent,
  deps: LocalEventDeps,
): Promise<Map<string, StoredEvent>> {
  const ids = [...event.authEvents]
  const implied = room.rules.roomIds === 'create-hash' && event.type !== 'm.room.create'
  if (implied) ids.push(createEventIdOf(event.roomId))
  return eventsByIds(room, ids, deps.readers)
}

export function judgeByAuthEvents(
  event: RoomEvent,
  authEvents: ReadonlyMap<string, StoredEvent>,
  deps: LocalEventDeps,
): Verdict {
  const listed = checkAuthEvents(event, (id) => {
    const stored = authEvents.get(id)
    return stored === undefined ? undefined : { event: stored.event, rejected: stored.rejected !== undefined }
  })
  if (!listed.ok) return listed
  const state = new Map<string, RoomEvent>()
  for (const { event: auth } of authEvents.values()) {
    state.set(mapKey({ type: auth.type, stateKey: auth.stateKey ?? '' }), auth)
  }
  return checkAuth(event, (type, stateKey) => state.get(mapKey({ type, stateKey })), deps.verifySignature)
}

async function stateBeforeOf(
  room: WorkingRoom,
  event: RoomEvent,
  deps: LocalEventDeps,
): Promise<NodeName | undefined> {
  if (event.type === 'm.room.create' && event.prevEvents.length === 0) return undefined
  const prevs = await eventsByIds(room, event.prevEvents, deps.readers)
  // An event of another room is no predecessor, and its state none of this room.
  const placed = [...prevs.values()].filter(
    (stored) => stored.stateAfter !== undefined && stored.roomNid === room.base.nid,
  )
  const here = new Set(placed.map((stored) => stored.event.id))
  const missing = event.prevEvents.filter((id) => !here.has(id))
  if (missing.length > 0 || event.prevEvents.length === 0) throw new MissingPredecessors(missing)
  const roots = placed.map((stored) => stored.stateAfter!)
  return resolveRoots(room, roots, deps)
}

async function aheadOf(room: WorkingRoom, event: RoomEvent, deps: LocalEventDeps): Promise<ReadAhead> {
  if (!room.readAhead.has(event.id)) await readAhead(room, [event.id], deps)
  return room.readAhead.get(event.id)!
}

/** Reads at once what is on disk of some events that are about to be applied. */
export async function readAhead(
  room: WorkingRoom,
  ids: readonly string[],
  deps: Pick<LocalEventDeps, 'readAhead'>,
): Promise<void> {
  for (const [id, ahead] of await deps.readAhead(ids)) room.readAhead.set(id, ahead)
}

/** A redaction that arrived before its target takes effect when the target comes, also where both are written together. */
async function earlyRedaction(
  room: WorkingRoom,
  event: RoomEvent,
  stateBefore: NodeName | undefined,
  ahead: ReadAhead,
  deps: LocalEventDeps,
): Promise<{ readonly event: RoomEvent; readonly by: number } | undefined> {
  const stored = await eventsByNids(room, ahead.redactions, deps.readers)
  const beside = room.pending.flatMap((item) =>
    item.stored.event.redacts === event.id && item.stored.event.type === 'm.room.redaction'
      ? [item.stored]
      : [],
  )
  for (const redaction of [...stored.values(), ...beside]) {
    const counts =
      redaction.rejected === undefined && !redaction.softFailed && redaction.roomNid === room.base.nid
    const state = redaction.stateBefore ?? stateBefore
    if (counts && (await mayRedact(room, redaction.event, event, deps.readers, state))) {
      return { event: redactedEvent(event), by: redaction.nid }
    }
  }
  return undefined
}
