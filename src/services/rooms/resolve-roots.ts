import { authStateKeys } from '../../core/auth/auth-event-keys.js'
import { authDifference } from '../../core/state/auth-difference.js'
import { splitStateKey } from '../../core/state/state-key.js'
import { conflictedSubgraph } from '../../core/state/subgraph.js'
import type { NodeName } from '../../core/state-trie/node.js'
import { createPace, type Pace } from '../../platform/pace.js'
import type { LocalEventDeps } from './local-event.js'
import { loadAuth } from './load-auth.js'
import { resolveAside, resolveHere, type Conflict } from './resolve-aside.js'
import { authName, isLeaf, remember, resolveStep } from './resolve-step.js'
import { mapKey, type StateKey } from './state-store.js'
import type { StoredEvent } from './stored-event.js'
import { eventsByNids, internKey, type RoomReaders, type WorkingRoom } from './working-room.js'

/** Events in conflict, each of which takes some 40 µs, that are resolved while everything else waits. */
const ON_THE_LOOP = 200

export type ResolveDeps = Pick<LocalEventDeps, 'readers' | 'verifySignature' | 'resolver'>

/** Auth edges read so far in one resolution: event nid → nids of its auth events. */
type Edges = Map<number, readonly number[]>

/**
 * The state that several states resolve to, as a root. Only what differs is read; most of a large room is never touched.
 * Roots must be of this room. A large conflict is resolved in another thread, and rejects where that takes too long. SPEC: https://spec.matrix.org/v1.19/server-server-api/#room-state-resolution
 */
export async function resolveRoots(
  room: WorkingRoom,
  roots: readonly NodeName[],
  deps: ResolveDeps,
): Promise<NodeName> {
  const { readers } = deps
  const distinct = [...new Set(roots)].sort()
  const first = distinct[0]!
  if (distinct.length === 1) return first
  const step = await resolveStep(room, distinct, deps)
  if (step !== undefined) return step
  const { nid: roomNid } = room.base
  const pace = createPace()

  const perKey = new Map<number, (number | undefined)[]>()
  for (const [i, root] of distinct.entries()) {
    if (i === 0) continue
    for (const [key, [before, after]] of await readers.states.diff(roomNid, first, root, room.nodes)) {
      let row = perKey.get(key)
      if (row === undefined) {
        row = distinct.map(() => before)
        perKey.set(key, row)
      }
      row[i] = after
    }
  }
  await pace()
  const names = await readers.states.keysOf([...perKey.keys()])
  const changes = new Map<number, number | undefined>()
  const conflictedNids = new Map<number, ReadonlySet<number>>()
  for (const [key, values] of perKey) {
    const events = new Set(values.filter((value) => value !== undefined))
    // Version 1 calls it no conflict when some states merely lack the key.
    if (events.size === 1 && room.rules.stateResolution === 'v1') changes.set(key, [...events][0])
    else conflictedNids.set(key, events)
  }

  const loaded = new Map<string, StoredEvent>()
  const load = async (nids: Iterable<number>): Promise<StoredEvent[]> => {
    const events = [...(await eventsByNids(room, [...nids], readers)).values()]
    for (const event of events) loaded.set(event.event.id, event)
    await pace()
    return events
  }
  const conflictedEvents = await load([...conflictedNids.values()].flatMap((set) => [...set]))
  const idOf = new Map(conflictedEvents.map((stored) => [stored.nid, stored.event.id]))
  const conflicted = new Map<string, string[]>()
  for (const [key, nids] of conflictedNids) {
    conflicted.set(
      mapKey(names.get(key)!),
      [...nids].flatMap((nid) => idOf.get(nid) ?? []),
    )
  }

  let difference: StoredEvent[] = []
  if (room.rules.stateResolution !== 'v1') {
    const nids = await differenceOf(room, distinct, conflictedNids, perKey, readers, pace)
    await pace()
    difference = await load(nids)
  }
  await loadAuth(room, [...conflictedEvents, ...difference], loaded, readers)

  const wanted = new Map<string, StateKey>()
  for (const { event } of [...conflictedEvents, ...difference]) {
    for (const key of authStateKeys(event, room.rules)) wanted.set(mapKey(key), key)
    await pace()
  }
  for (const key of names.values()) wanted.delete(mapKey(key))
  const unconflictedNids = await readers.states.read(roomNid, first, [...wanted.values()], room.nodes)
  const unconflicted = new Map<string, string>()
  const byNid = new Map((await load(unconflictedNids.values())).map((stored) => [stored.nid, stored]))
  for (const [key, nid] of unconflictedNids) {
    const stored = byNid.get(nid)
    if (stored !== undefined) unconflicted.set(key, stored.event.id)
  }
  await loadAuth(room, [...byNid.values()], loaded, readers)

  const conflict: Conflict = {
    conflicted,
    unconflicted,
    authDifference: difference.map((stored) => stored.event.id),
    loaded,
  }
  const isLarge = conflictedEvents.length + difference.length > ON_THE_LOOP
  const resolved =
    isLarge && deps.resolver !== undefined
      ? await resolveAside(room, conflict, deps.resolver)
      : resolveHere(room, conflict, deps.verifySignature)
  await pace()
  const nidOf = new Map([...names].map(([nid, key]) => [mapKey(key), nid]))
  for (const key of conflictedNids.keys()) changes.set(key, undefined)
  for (const [name, id] of resolved) {
    const stored = loaded.get(id)
    // An event of the auth difference may decide a key that no state has.
    const key = nidOf.get(name) ?? (await internKey(room, splitStateKey(name), readers))
    if (stored !== undefined) changes.set(key, stored.nid)
  }
  const updated = await readers.states.update(roomNid, first, changes, room.nodes)
  for (const [name, node] of updated.created) room.nodes.set(name, node)
  const touched = new Set([...names.values()].map(mapKey))
  for (const { event } of difference)
    if (event.stateKey !== undefined) touched.add(mapKey({ type: event.type, stateKey: event.stateKey }))
  const byEvent = new Map(conflictedEvents.map((stored) => [stored.nid, stored]))
  const leaves = leavesOf(distinct, perKey, names, byEvent)
  remember(room, { roots: distinct, result: updated.root, touched, leaves, steps: 0 })
  return updated.root
}

/** Of each state the auth events of leaves that it alone has: see `resolveStep`. */
function leavesOf(
  roots: readonly NodeName[],
  perKey: ReadonlyMap<number, readonly (number | undefined)[]>,
  names: ReadonlyMap<number, StateKey>,
  events: ReadonlyMap<number, StoredEvent>,
): Map<NodeName, Set<string>> {
  const leaves = new Map(roots.map((root) => [root, new Set<string>()]))
  for (const [key, values] of perKey) {
    const name = names.get(key)
    if (name === undefined || !isLeaf(name.type)) continue
    for (const [i, nid] of values.entries()) {
      const stored = nid === undefined ? undefined : events.get(nid)
      if (stored !== undefined && values.filter((value) => value === nid).length === 1)
        leaves.get(roots[i]!)!.add(authName(stored))
    }
  }
  return leaves
}

async function edgesInto(
  room: WorkingRoom,
  start: Iterable<number>,
  edges: Edges,
  readers: RoomReaders,
): Promise<Set<number>> {
  const chain = new Set<number>(start)
  let level = [...chain]
  while (level.length > 0) {
    const unknown = level.filter((nid) => !edges.has(nid))
    for (let i = 0; i < unknown.length; i += 500) {
      const found = await eventsByNids(room, unknown.slice(i, i + 500), readers)
      for (const nid of unknown.slice(i, i + 500)) edges.set(nid, found.get(nid)?.authNids ?? [])
    }
    const next: number[] = []
    for (const nid of level) {
      for (const auth of edges.get(nid)!) {
        if (!chain.has(auth)) {
          chain.add(auth)
          next.push(auth)
        }
      }
    }
    level = next
  }
  return chain
}

/** The auth difference of the states; for v2.1 with the conflicted subgraph. */
async function differenceOf(
  room: WorkingRoom,
  roots: readonly NodeName[],
  conflicted: ReadonlyMap<number, ReadonlySet<number>>,
  perKey: ReadonlyMap<number, readonly (number | undefined)[]>,
  readers: RoomReaders,
  pace: Pace,
): Promise<Set<number>> {
  const edges: Edges = new Map()
  const all = new Set([...conflicted.values()].flatMap((set) => [...set]))
  await edgesInto(room, all, edges, readers)
  await pace()
  const edgesOf = (nid: number): readonly number[] => edges.get(nid) ?? []
  const apart = roots.map((_, i) => [...conflicted.keys()].flatMap((key) => perKey.get(key)![i] ?? []))
  const difference = authDifference(apart, edgesOf, () => false)
  await pace()

  // What the agreed part of the state refers to is in every state's chain. That part may be large: it is read only if needed.
  if (difference.size > 0) {
    const agreed: number[] = []
    for (const [key, nid] of await readers.states.all(room.base.nid, roots[0]!, room.nodes)) {
      if (!conflicted.has(key)) agreed.push(nid)
    }
    for (const nid of await edgesInto(room, agreed, edges, readers)) difference.delete(nid)
  }
  if (room.rules.stateResolution === 'v2.1')
    for (const nid of conflictedSubgraph(all, edgesOf)) difference.add(nid)
  return difference
}
