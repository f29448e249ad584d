import { serverNameOf } from '../../core/ids/server-name-of.js'
import { canonicalMode } from '../../core/event/hash.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { NodeName } from '../../core/state-trie/node.js'
import {
  authEventsOf,
  becomeHead,
  isRecommended,
  judgeByAuthEvents,
  judgeByState,
  MissingPredecessors,
} from './apply-event.js'
import { redactionOf, type LocalEventDeps } from './local-event.js'
import type { PeerState } from './peer-state.js'
import { resolveRoots } from './resolve-roots.js'
import type { StoredEvent } from './stored-event.js'
import {
  addPending,
  eventsByIds,
  eventsByNids,
  mapKey,
  setState,
  type Head,
  type WorkingRoom,
} from './working-room.js'

/** Where the room would stand had its members been known from the beginning: computed beside its provisional state. */
export interface TrueLine {
  readonly root: NodeName | undefined
  readonly heads: readonly Head[]
}

export const BEGINNING: TrueLine = { root: undefined, heads: [] }

export interface ToRedo {
  readonly nid: number
  /** What other servers have where predecessors are missing; empty where none are. */
  readonly peerStates: readonly PeerState[]
  /** Ids of events that are judged again after it, so that their states are provisional still. */
  readonly later?: ReadonlySet<string>
}

/** The join by which this server came into the room is not allowed by the state that another server gives. */
export class JoinRefused extends Error {
  constructor() {
    super('the state does not allow the join')
    this.name = 'JoinRefused'
  }
}

/**
 * Judges events of a partial room again, on the line of which the first one is the beginning, and notes their new verdicts and states. The room's own
 * state and heads stay. Gives the line after them.
 * Pre: the events are in causal order, and follow those that were redone before.
 * Throws `MissingPredecessors`; `JoinRefused` where the first event of all is refused.
 */
export async function redoEvents(
  room: WorkingRoom,
  line: TrueLine,
  events: readonly ToRedo[],
  deps: LocalEventDeps,
): Promise<TrueLine> {
  const present: TrueLine = { root: room.root, heads: room.heads }
  const { root, heads } = line
  Object.assign(room, { root, heads })
  try {
    for (const event of events) await redo(room, event, deps)
    return { root: room.root, heads: room.heads }
  } finally {
    Object.assign(room, present)
  }
}

async function redo(room: WorkingRoom, toRedo: ToRedo, deps: LocalEventDeps): Promise<void> {
  const { readers } = deps
  const { nid } = toRedo
  const known = (await eventsByNids(room, [nid], readers)).get(nid)
  // Its row went, as by a deletion of what was said.
  if (known === undefined) return
  const { event } = known
  const isFirst = room.root === undefined
  const stateBefore = await stateBeforeOf(room, known, toRedo, deps)
  const authEvents = await authEventsOf(room, event, deps)
  let verdict = judgeByAuthEvents(event, authEvents, deps)
  if (verdict.ok) verdict = await judgeByState(room, event, stateBefore, deps)
  const rejected = verdict.ok ? undefined : verdict.rule
  if (isFirst && rejected !== undefined) throw new JoinRefused()

  const key = event.stateKey === undefined ? undefined : { type: event.type, stateKey: event.stateKey }
  const replaces =
    key === undefined
      ? undefined
      : (await readers.states.read(room.base.nid, stateBefore, [key], room.nodes)).get(mapKey(key))
  const stateAfter =
    key === undefined || rejected !== undefined
      ? stateBefore
      : await setState(room, stateBefore, key, nid, readers)
  const softFailed = rejected === undefined && !(await isAllowedAt(room, known, stateBefore, deps))

  const wasShown = known.rejected === undefined && !known.softFailed
  const shown = rejected === undefined && !softFailed
  const stored: StoredEvent = {
    ...known,
    rejected,
    softFailed,
    stateBefore,
    stateAfter,
    authNids: [...authEvents.values()].map((item) => item.nid),
    replaces,
    pos: shown ? known.pos : undefined,
    ord: shown ? known.ord : undefined,
  }
  room.byNid.set(nid, stored)
  room.byId.set(event.id, stored)
  if (shown) await becomeHead(room, stored, deps)
  const isNews = shown && !wasShown
  addPending(
    room,
    {
      stored,
      json: canonicalJson(event.pdu, canonicalMode(event.rules)),
      // What is allowed after all is news, though it came before.
      live: isNews,
      ...(isNews ? {} : { isRevised: true }),
      ...(wasShown && !shown ? { isHidden: true } : {}),
      stateChanges: [],
      destinations: [],
      unread: isNews ? await deps.unreadEffect(room, event) : undefined,
      isNew: false,
      missing: [],
      redaction: isNews ? await redactionOf(room, event, stateBefore, deps) : undefined,
      clientTxn: undefined,
    },
    readers,
  )
}

/** The state before it: of its predecessors, and, where some are missing, of those of whom other servers have told. */
async function stateBeforeOf(
  room: WorkingRoom,
  { event }: StoredEvent,
  { peerStates, later }: ToRedo,
  deps: LocalEventDeps,
): Promise<NodeName> {
  const { readers } = deps
  const prevs = await eventsByIds(room, event.prevEvents, readers)
  const placed = [...prevs.values()].filter(
    (stored) =>
      stored.stateAfter !== undefined &&
      stored.roomNid === room.base.nid &&
      later?.has(stored.event.id) !== true,
  )
  if (peerStates.length === 0 && placed.length < new Set(event.prevEvents).size)
    throw new MissingPredecessors(
      event.prevEvents.filter((id) => !placed.some((prev) => prev.event.id === id)),
    )
  const roots = placed.map((stored) => stored.stateAfter!)
  for (const { root, then } of peerStates) roots.push(await stateAfterPeer(room, root, then, deps))
  return resolveRoots(room, roots, deps)
}

async function stateAfterPeer(
  room: WorkingRoom,
  root: NodeName,
  then: number | undefined,
  { readers }: LocalEventDeps,
): Promise<NodeName> {
  const stored = then === undefined ? undefined : (await eventsByNids(room, [then], readers)).get(then)
  if (stored?.event.stateKey === undefined || stored.rejected !== undefined) return root
  const { type, stateKey } = stored.event
  return setState(room, root, { type, stateKey }, stored.nid, readers)
}

/** Whether the room's state of then, as far as it is known by now, allows it: else it is soft-failed. */
async function isAllowedAt(
  room: WorkingRoom,
  { event, softFailed }: StoredEvent,
  stateBefore: NodeName,
  deps: LocalEventDeps,
): Promise<boolean> {
  if (
    room.root !== undefined &&
    room.root !== stateBefore &&
    !(await judgeByState(room, event, room.root, deps)).ok
  )
    return false
  // The policy server was asked when the event came.
  const isOurs = serverNameOf(event.sender) === deps.readers.serverName
  return !softFailed || isOurs || isRecommended(room, event, deps)
}
