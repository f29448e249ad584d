import type { RoomEvent } from '../../core/event/types.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { NewNode } from '../../core/state-trie/walk.js'
import type { StateKeyRow } from '../../storage/tables/state.js'
import type { EventStore } from './event-store.js'
import { applyMemberChanges, type MemberChange, type Roster } from './roster.js'
import {
  mapKey,
  type RememberedResolution,
  type SeenState,
  type StateKey,
  type StateStore,
} from './state-store.js'
import type { ClientTxn, StoredEvent } from './stored-event.js'

/** A forward extremity. */
export interface Head {
  readonly nid: number
  readonly id: string
  readonly depth: number
}

/** A room as committed. */
export interface RoomSnapshot {
  readonly nid: number
  readonly roomId: string
  readonly rules: RoomVersionRules
  readonly rev: number
  /** Undefined when this server knows no state of the room. */
  readonly root: NodeName | undefined
  readonly heads: readonly Head[]
  readonly lastPos: number
  /** It was joined before its members were known: its state is provisional (docs/adr/0013). */
  readonly partial: boolean
}

/** One key of the current state that changed. */
export interface StateChange extends StateKey {
  readonly before: StoredEvent | undefined
  readonly after: StoredEvent | undefined
}

/** How an event concerns one user. */
export interface UnreadOutcome {
  readonly notify: boolean
  readonly highlight: boolean
  /** By rules of their own, so that much of what follows will concern them in the same way. */
  readonly lasting: boolean
}

/** What an event does to the counts of local users. */
export interface UnreadEffect {
  /** The thread's root, or the empty string for the main timeline. */
  readonly thread: string
  /** How it concerns everybody but its sender and those in `special`. What highlights notifies. */
  readonly common: Omit<UnreadOutcome, 'lasting'>
  /** A local user who has read the thread by speaking in it. */
  readonly reader: string | undefined
  /** Those who have rules of their own, ignore the sender or are named by the event. */
  readonly special: ReadonlyMap<string, UnreadOutcome>
}

/** What the redaction of an event does to the counts of local users who have not read it. */
export interface UnreadRedaction {
  readonly pos: number
  readonly thread: string
  /** How the event concerned everybody but those in `special`. */
  readonly common: Omit<UnreadOutcome, 'lasting'>
  /** How many events of the thread after it notify and highlight by the same rules; none of this transaction. */
  readonly after: { readonly notify: number; readonly highlight: number }
  readonly special: ReadonlyMap<string, UnreadOutcome>
  /** Those of `special` who have been told of it and have not read it. */
  readonly unreadBy: ReadonlySet<string>
}

/** One event waiting to be written, with all that its transaction writes because of it. */
export interface Pending {
  stored: StoredEvent
  readonly json: string
  /** Gets a stream position, and clients see it. */
  readonly live: boolean
  readonly stateChanges: readonly StateChange[]
  /** Those of them that the event does not bring itself: state resolution decided so. */
  readonly fromResolution?: readonly StateChange[]
  readonly destinations: readonly string[]
  readonly unread: UnreadEffect | undefined
  /** It was there before; only the states beside it change. */
  readonly isRevised?: true
  /** With it this server came into the room, where nobody of it was. */
  readonly isArrival?: true
  /** It takes its place in a partial room, and is judged again when that is whole. `peerState`: see `partial_events`. */
  readonly provisional?: { readonly peerState: string | null }
  /** Clients were shown it, and are no more. */
  readonly isHidden?: true
  /** With this the room is whole. `newServers`: those that were in it unknown to us, and missed what we told the others. */
  readonly completes?: { readonly newServers: readonly string[] }
  /** It was made here and now, so that nothing has named it before. */
  readonly isNew: boolean
  /** Events that it names as predecessors and that this server lacks. */
  readonly missing: readonly string[]
  /** The target of a redaction that takes effect now, with its redacted form. */
  readonly redaction:
    | {
        readonly target: StoredEvent
        readonly event: RoomEvent
        readonly json: string
        readonly unread: UnreadRedaction | undefined
      }
    | undefined
  /** The client's transaction, to answer a repeated request. */
  readonly clientTxn: ClientTxn | undefined
}

/** What is on disk of an event that comes from elsewhere. */
export interface ReadAhead {
  readonly known: StoredEvent | undefined
  /** Nids of redactions that came before it. */
  readonly redactions: readonly number[]
}

/** A join whose answer left the members out. */
export interface PartialJoin {
  /** The server that let the user in. */
  readonly via: string
  /** In the room, by its word. */
  readonly servers: readonly string[]
  /** When the rest is fetched, in milliseconds. */
  readonly due: number
  /** Nobody was in the room before; else it was partial already, and more servers become known. */
  readonly begins: boolean
}

/**
 * A room in the making: the committed snapshot and, over it, events that the next transaction will write.
 * Only the room's writer holds one, and only while it has the room's turn.
 */
export interface WorkingRoom {
  readonly base: RoomSnapshot
  readonly roomId: string
  readonly rules: RoomVersionRules
  root: NodeName | undefined
  heads: readonly Head[]
  roster: Roster
  /** Its state is provisional. */
  partial: boolean
  /** It becomes partial with this transaction. */
  partialJoin: PartialJoin | undefined
  readonly pending: Pending[]
  readonly nodes: Map<NodeName, NewNode>
  readonly newKeys: Map<number, StateKeyRow>
  readonly byNid: Map<number, StoredEvent>
  readonly byId: Map<string, StoredEvent>
  /** Events of the running job that the room's policy server has signed. */
  signedByPolicy: readonly RoomEvent[]
  /** Resolutions of states of this room, the latest first. */
  resolutions: readonly RememberedResolution[]
  /** What was read of events before their turn in this transaction: what is on disk does not change until it is written. */
  readonly readAhead: Map<string, ReadAhead>
  /** Nids of staged PDUs that this transaction settles: their rows go with it. */
  readonly settled: number[]
}

export function openWorkingRoom(
  base: RoomSnapshot,
  roster: Roster,
  resolutions: readonly RememberedResolution[] = [],
): WorkingRoom {
  return {
    base,
    roomId: base.roomId,
    rules: base.rules,
    root: base.root,
    heads: base.heads,
    roster,
    partial: base.partial,
    partialJoin: undefined,
    pending: [],
    nodes: new Map(),
    newKeys: new Map(),
    byNid: new Map(),
    byId: new Map(),
    signedByPolicy: [],
    resolutions,
    readAhead: new Map(),
    settled: [],
  }
}

/** What a working room needs to read what is on disk. */
export interface RoomReaders {
  readonly events: EventStore
  readonly states: StateStore
  readonly serverName: string
}

export async function eventsByNids(
  room: WorkingRoom,
  nids: readonly number[],
  { events }: RoomReaders,
): Promise<Map<number, StoredEvent>> {
  const found = new Map<number, StoredEvent>()
  const rest: number[] = []
  for (const nid of nids) {
    const own = room.byNid.get(nid)
    if (own === undefined) rest.push(nid)
    else found.set(nid, own)
  }
  if (rest.length > 0) for (const [nid, event] of await events.byNids(rest)) found.set(nid, event)
  return found
}

export async function eventsByIds(
  room: WorkingRoom,
  ids: readonly string[],
  { events }: RoomReaders,
): Promise<Map<string, StoredEvent>> {
  const found = new Map<string, StoredEvent>()
  const rest: string[] = []
  for (const id of ids) {
    const own = room.byId.get(id)
    if (own === undefined) rest.push(id)
    else found.set(id, own)
  }
  if (rest.length > 0) for (const [id, event] of await events.byIds(rest)) found.set(id, event)
  return found
}

/** Keys of one room's current state that are kept: those of its speakers and a few of the room. */
const MAX_SEEN = 100

/** Some keys of a state (by default the current one), keyed by `mapKey`. */
export async function stateEvents(
  room: WorkingRoom,
  keys: readonly StateKey[],
  readers: RoomReaders,
  root: NodeName | undefined = room.root,
): Promise<Map<string, StoredEvent>> {
  if (root === undefined) return new Map()
  const seen = root === room.base.root ? readers.states.seen(room.base.nid, root) : undefined
  const known = seen === undefined ? undefined : allSeen(seen, keys)
  if (known !== undefined) return known
  const nids = await readers.states.read(room.base.nid, root, keys, room.nodes)
  const byNid = await eventsByNids(room, [...nids.values()], readers)
  const out = new Map<string, StoredEvent>()
  for (const [key, nid] of nids) {
    const event = byNid.get(nid)
    if (event !== undefined) out.set(key, event)
  }
  if (seen !== undefined) {
    if (seen.size + keys.length > MAX_SEEN) seen.clear()
    for (const key of keys) seen.set(mapKey(key), out.get(mapKey(key)))
  }
  return out
}

/** Undefined unless all of the keys were looked up before. */
function allSeen(seen: SeenState, keys: readonly StateKey[]): Map<string, StoredEvent> | undefined {
  const out = new Map<string, StoredEvent>()
  for (const key of keys) {
    const name = mapKey(key)
    const event = seen.get(name)
    if (event !== undefined) out.set(name, event)
    else if (!seen.has(name)) return undefined
  }
  return out
}

/** The nid of a state key; one that is new is stored with the room's next transaction. */
export async function internKey(room: WorkingRoom, key: StateKey, { states }: RoomReaders): Promise<number> {
  const { nid, fresh } = await states.intern(key)
  if (fresh) room.newKeys.set(nid, { nid, type: key.type, state_key: key.stateKey })
  return nid
}

/** The root of a state after one of its keys was set to an event. */
export async function setState(
  room: WorkingRoom,
  root: NodeName | undefined,
  key: StateKey,
  eventNid: number,
  readers: RoomReaders,
): Promise<NodeName> {
  const nid = await internKey(room, key, readers)
  const updated = await readers.states.update(room.base.nid, root, new Map([[nid, eventNid]]), room.nodes)
  for (const [name, node] of updated.created) room.nodes.set(name, node)
  return updated.root
}

export const membershipIn = (event: StoredEvent | undefined): string | undefined => {
  const membership = event?.event.content['membership']
  return typeof membership === 'string' ? membership : undefined
}

export const memberChanges = (changes: readonly StateChange[]): MemberChange[] =>
  changes
    .filter((change) => change.type === 'm.room.member')
    .map((change) => ({
      userId: change.stateKey,
      before: membershipIn(change.before),
      after: membershipIn(change.after),
    }))

/** Adds an event to what the next transaction writes. */
export function addPending(room: WorkingRoom, pending: Pending, readers: RoomReaders): void {
  room.pending.push(pending)
  room.byNid.set(pending.stored.nid, pending.stored)
  room.byId.set(pending.stored.event.id, pending.stored)
  room.roster = applyMemberChanges(room.roster, memberChanges(pending.stateChanges), readers.serverName)
}

export { mapKey }
export type { ClientTxn }
