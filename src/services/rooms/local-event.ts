import type { AccessPolicy } from '../../core/access-rules/access-policy.js'
import { authEventKeys, authStateKeys } from '../../core/auth/auth-event-keys.js'
import { checkAuth } from '../../core/auth/check.js'
import type { VerifySignature } from '../../core/auth/state-lookup.js'
import { badJson, forbidden } from '../../core/errors.js'
import { buildEvent } from '../../core/event/build.js'
import { POLICY_STATE } from '../../core/policy-server.js'
import { redactedEvent } from '../../core/event/redact.js'
import { referenceHash } from '../../core/event/hash.js'
import type { Signer } from '../../core/event/sign.js'
import type { RoomEvent } from '../../core/event/types.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'
import { isEventId } from '../../core/ids/event-id.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { RETENTION } from '../../core/retention.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { accessRefused, judgeOwnAccess } from './access.js'
import { checkRetention } from './check-retention.js'
import type { Nids } from './nids.js'
import { notInRoom } from './not-in-room.js'
import { mayRedact } from './redaction.js'
import type { RoomRetention } from './room-retention.js'
import type { StateResolving } from './resolve-aside.js'
import { txnMark, type StoredEvent } from './stored-event.js'
import {
  addPending,
  eventsByIds,
  eventsByNids,
  mapKey,
  setState,
  stateEvents,
  type ClientTxn,
  type Pending,
  type RoomReaders,
  type StateChange,
  type UnreadEffect,
  type UnreadRedaction,
  type WorkingRoom,
  type ReadAhead,
} from './working-room.js'

/** What a user of this server wants to say. */
export interface Draft {
  readonly type: string
  readonly sender: string
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  readonly redacts?: string | undefined
  readonly clientTxn?: ClientTxn | undefined
  /** Milliseconds for which the event is to reach everybody (MSC4354). */
  readonly stickyMs?: number | undefined
  /** Application services may date their events. Milliseconds. */
  readonly originServerTs?: number | undefined
}

export interface LocalEventDeps {
  readonly readers: RoomReaders
  readonly signer: Signer
  readonly clock: Clock
  readonly random: Random
  readonly nids: Nids
  readonly verifySignature: VerifySignature
  /** The access rules of a closed circle; without them, whoever the auth rules let in comes in. */
  readonly access?: AccessPolicy
  /** How long what is said is kept; without it, for ever. */
  readonly retention?: RoomRetention
  /** Where large conflicts of states are resolved; without one, on the event loop. */
  readonly resolver?: StateResolving
  /** What is on disk of events that come from elsewhere, by id; all of them are in the answer. */
  readAhead(eventIds: readonly string[]): Promise<ReadonlyMap<string, ReadAhead>>
  /** What an event does to the counts of local users; undefined for nothing. */
  unreadEffect(room: WorkingRoom, event: RoomEvent): Promise<UnreadEffect | undefined>
  /** What counts no more when this event is redacted. */
  unreadRedaction(room: WorkingRoom, target: StoredEvent): Promise<UnreadRedaction | undefined>
  /** For the audit log. */
  readonly onPolicyRefusal?:
    ((refused: { readonly event: RoomEvent; readonly rule: string }) => void) | undefined
}

/** At most so many predecessors in one event; the rest wait for the next one. SPEC: server-server-api/#pdus */
const MAX_PREV_EVENTS = 20

/** An event of ours that is not yet judged, with the events of the current state that judge it. */
export interface Prepared {
  readonly event: RoomEvent
  readonly state: ReadonlyMap<string, StoredEvent>
  readonly authNids: readonly number[]
}

function canonical(event: RoomEvent): string {
  return canonicalJson(event.pdu, event.rules.strictCanonicalJson ? 'strict' : 'lenient')
}

/** Builds and signs an event on top of the room's heads; nothing is judged yet. */
export async function prepareLocalEvent(
  room: WorkingRoom,
  draft: Draft,
  deps: LocalEventDeps,
): Promise<Prepared> {
  const { rules } = room
  const state = await stateEvents(room, [...authStateKeys(draft, rules), POLICY_STATE], deps.readers)
  const auth = authEventKeys(draft, rules).flatMap((key) => state.get(mapKey(key)) ?? [])
  const heads = room.heads.toSorted((a, b) => b.depth - a.depth).slice(0, MAX_PREV_EVENTS)
  const depth = heads.reduce((max, head) => Math.max(max, head.depth), 0) + 1
  const isCreate = draft.type === 'm.room.create' && draft.stateKey === ''
  const hashes = new Map<string, string>()
  if (rules.eventIds === 'on-the-wire') {
    const named = [
      ...auth,
      ...(
        await eventsByNids(
          room,
          heads.map((head) => head.nid),
          deps.readers,
        )
      ).values(),
    ]
    for (const { event } of named) hashes.set(event.id, referenceHash(event.pdu, rules))
  }
  const event = buildEvent(
    {
      type: draft.type,
      sender: draft.sender,
      stateKey: draft.stateKey,
      content: draft.content,
      roomId: isCreate && rules.roomIds === 'create-hash' ? undefined : room.roomId,
      depth: Math.min(depth, Number.MAX_SAFE_INTEGER),
      originServerTs: draft.originServerTs ?? deps.clock.now(),
      prevEvents: heads.map((head) => head.id),
      authEvents: auth.map((stored) => stored.event.id),
      redacts: draft.redacts,
      stickyMs: draft.stickyMs,
      eventId:
        rules.eventIds === 'on-the-wire'
          ? `$${deps.random.string(18)}:${deps.readers.serverName}`
          : undefined,
      referenceHashOf: (id) => hashes.get(id),
    },
    rules,
    deps.signer,
  )
  return { event, state, authNids: auth.map((stored) => stored.nid) }
}

/** Rules that refuse whoever is not in the room; in the words for a room that does not exist. */
const OUTSIDE = new Set(['sender', 'member.invite.sender', 'member.leave.sender', 'member.ban.sender'])

/** Rules that nobody can satisfy by having more power. */
const MALFORMED: ReadonlySet<string> = new Set([
  'power_levels.creators',
  'power_levels.integer',
  'power_levels.map',
  'power_levels.users',
  'state_key.owner',
])

/**
 * Judges an event of ours by the auth rules and the access rules against the current state. Throws M_FORBIDDEN with the rule's reason,
 * M_BAD_JSON for what nobody may send: what we refuse of our own users is not stored.
 */
export async function judgeLocalEvent(
  room: WorkingRoom,
  { event, state }: Prepared,
  deps: LocalEventDeps,
): Promise<void> {
  const verdict = checkAuth(
    event,
    (type, stateKey) => state.get(mapKey({ type, stateKey }))?.event,
    deps.verifySignature,
  )
  if (!verdict.ok) {
    if (OUTSIDE.has(verdict.rule)) throw notInRoom()
    throw MALFORMED.has(verdict.rule) ? badJson(verdict.reason) : forbidden(verdict.reason)
  }
  if (deps.retention !== undefined && event.type === RETENTION.type && event.stateKey === '')
    await checkRetention(room, event, deps.readers, deps.retention)
  if (deps.access === undefined) return
  const allowed = await judgeOwnAccess(room, event, deps.readers, deps.access)
  if (allowed.ok) return
  // A template for somebody of another server is refused here too.
  if (serverNameOf(event.sender) === deps.readers.serverName)
    deps.onPolicyRefusal?.({ event, rule: allowed.rule })
  throw accessRefused(allowed)
}

/** Adds an event that stands on all heads and was judged: it becomes the only head. */
export async function addAccepted(
  room: WorkingRoom,
  { event, authNids }: Prepared,
  draft: Pick<Draft, 'clientTxn'>,
  deps: LocalEventDeps,
): Promise<StoredEvent> {
  const { readers } = deps
  const nid = await deps.nids.take('event')
  const before = room.root
  const changes: StateChange[] = []
  let after = before
  let replaced: StoredEvent | undefined
  if (event.stateKey !== undefined) {
    const key = { type: event.type, stateKey: event.stateKey }
    replaced = before === undefined ? undefined : (await stateEvents(room, [key], readers)).get(mapKey(key))
    after = await setState(room, before, key, nid, readers)
  }
  const stored: StoredEvent = {
    nid,
    roomNid: room.base.nid,
    event,
    pos: undefined,
    ord: undefined,
    outlier: false,
    rejected: undefined,
    softFailed: false,
    stateBefore: before,
    stateAfter: after,
    authNids,
    replaces: replaced?.nid,
    redactedBy: undefined,
    txn: txnMark(draft.clientTxn),
  }
  if (event.stateKey !== undefined) {
    changes.push({ type: event.type, stateKey: event.stateKey, before: replaced, after: stored })
  }
  const pending: Pending = {
    stored,
    json: canonical(event),
    live: true,
    stateChanges: changes,
    destinations: destinationsOf(room, event, readers.serverName),
    unread: await deps.unreadEffect(room, event),
    isNew: true,
    missing: [],
    redaction: await redactionOf(room, event, before, deps),
    clientTxn: draft.clientTxn,
    ...(room.partial ? { provisional: { peerState: null } } : {}),
  }
  room.root = after
  // Heads beyond those that the event names stay heads.
  const named = new Set(event.prevEvents)
  room.heads = [
    ...room.heads.filter((head) => !named.has(head.id)),
    { nid, id: event.id, depth: event.depth },
  ]
  addPending(room, pending, readers)
  return stored
}

/** Servers with a member, before the event or by it: someone who is kicked is told. */
export function destinationsOf(room: WorkingRoom, event: RoomEvent, serverName: string): string[] {
  const servers = new Set(room.roster.servers.keys())
  if (event.type === 'm.room.member' && event.stateKey !== undefined) {
    const membership = event.content['membership']
    const server = serverNameOf(event.stateKey)
    // An invited server gets the invite by /invite; what becomes of it, it must hear too.
    if (server !== undefined && (membership === 'leave' || membership === 'ban')) servers.add(server)
  }
  servers.delete(serverName)
  return [...servers]
}

/**
 * The target of a redaction, if it is here and the redaction takes effect on it. That is judged by the state before the redaction:
 * the present one differs from server to server while news is under way, and what was redacted stays so.
 */
export async function redactionOf(
  room: WorkingRoom,
  event: RoomEvent,
  stateBefore: NodeName | undefined,
  deps: LocalEventDeps,
): Promise<Pending['redaction']> {
  // What cannot be the id of any event names none.
  if (event.redacts === undefined || event.type !== 'm.room.redaction' || !isEventId(event.redacts))
    return undefined
  const target = (await eventsByIds(room, [event.redacts], deps.readers)).get(event.redacts)
  if (target === undefined || target.roomNid !== room.base.nid || target.redactedBy !== undefined)
    return undefined
  if (!(await mayRedact(room, event, target.event, deps.readers, stateBefore))) return undefined
  const redacted = redactedEvent(target.event)
  return {
    target,
    event: redacted,
    json: canonical(redacted),
    unread: await deps.unreadRedaction(room, target),
  }
}
