import { appendTo } from '../../core/append-to.js'
import { decodeNode, type NodeName, type TrieNode } from '../../core/state-trie/node.js'
import { diff, readAll, readKeys, readSize, type StateDiff } from '../../core/state-trie/read.js'
import { update, type StateChanges, type Updated } from '../../core/state-trie/update.js'
import type { NewNode, Walk } from '../../core/state-trie/walk.js'
import { createLru } from '../../platform/lru.js'
import { createPace } from '../../platform/pace.js'
import { stateKeysByNids, stateKeysOf, stateNodes, type StateKeyRow } from '../../storage/tables/state.js'
import type { Store } from '../../storage/tx.js'
import type { Nids } from './nids.js'
import type { StoredEvent } from './stored-event.js'

/** The two parts of a state key, e.g. `m.room.member` and a user id. */
export interface StateKey {
  readonly type: string
  readonly stateKey: string
}

/** Nodes made but not yet on disk. */
export type Overlay = ReadonlyMap<NodeName, NewNode>

/** Reads and computes room states. Nodes are immutable, so the caches need no invalidation. */
export interface StateStore {
  /** Nids of keys; undefined for one that no room has ever had. */
  nidsOf(keys: readonly StateKey[]): Promise<(number | undefined)[]>
  /** The nid of a key, given one now if it is new; `fresh` until a transaction has stored it. */
  intern(key: StateKey): Promise<{ readonly nid: number; readonly fresh: boolean }>
  /** The same for many keys at once. */
  internMany(keys: readonly StateKey[]): Promise<{ readonly nid: number; readonly fresh: boolean }[]>
  /** To be called when a transaction found one of these keys stored under another nid, by another process. */
  disown(rows: readonly StateKeyRow[]): void
  /** To be called when a transaction has stored these keys. */
  stored(rows: readonly StateKeyRow[]): void
  keysOf(nids: readonly number[]): Promise<Map<number, StateKey>>
  /** Event nids of some keys in a state; absent keys are left out. Keyed by `mapKey`. */
  read(
    roomNid: number,
    root: NodeName,
    keys: readonly StateKey[],
    overlay?: Overlay,
  ): Promise<Map<string, number>>
  /** Key nid → event nid. */
  all(roomNid: number, root: NodeName, overlay?: Overlay): Promise<Map<number, number>>
  /** How many keys a state has. */
  size(roomNid: number, root: NodeName): Promise<number>
  diff(
    roomNid: number,
    before: NodeName | undefined,
    after: NodeName | undefined,
    overlay?: Overlay,
  ): Promise<StateDiff>
  update(
    roomNid: number,
    root: NodeName | undefined,
    changes: StateChanges,
    overlay?: Overlay,
  ): Promise<Updated>
  /** What the room's writer has seen of the current state, to be filled by it: the next message then looks nothing up. */
  seen(roomNid: number, root: NodeName): SeenState
  /** The latest resolutions of a room's states; whoever makes others keeps them once their nodes are committed. */
  resolutions(roomNid: number): readonly RememberedResolution[]
  keepResolutions(roomNid: number, resolutions: readonly RememberedResolution[]): void
  /** To be called when an event of the state became another, by a redaction, or may have, elsewhere: resolutions are forgotten, too. */
  forgetSeen(roomNid: number): void
  /** Remembers nodes that were just committed. */
  remember(nodes: Iterable<NewNode>): void
}

/** What a resolution came to, for one that differs a little: see `resolveStep`. */
export interface RememberedResolution {
  /** Distinct, sorted. */
  readonly roots: readonly NodeName[]
  readonly result: NodeName
  /** Keys, by `mapKey`, of all events that were in conflict. */
  readonly touched: ReadonlySet<string>
  /** Of each state, the auth events of leaves in conflict that it alone has. */
  readonly leaves: ReadonlyMap<NodeName, ReadonlySet<string>>
  /** How many steps lead to it from a resolution of all. */
  readonly steps: number
}

/** Events of one state by `mapKey`; undefined for a key that the state does not have. */
export type SeenState = Map<string, StoredEvent | undefined>

export const mapKey = (key: StateKey): string => `${key.type}\u0000${key.stateKey}`

const CACHED_NODES = 100_000
const CACHED_KEYS = 100_000
/** Rooms of which resolutions are remembered. */
const RESOLVED_ROOMS = 50
/** Keys that no state has had so far, of which is known that some root lacks them. */
const CACHED_ABSENT = 20_000
/** Rooms of whose state what was seen is kept; each keeps the events of its latest speakers. */
const SEEN_ROOMS = 1_000
/** Nodes asked of the store in one query. */
const BATCH = 200

export function createStateStore(deps: { store: Store; nids: Nids }): StateStore {
  const { store } = deps
  const nodes = createLru<NodeName, TrieNode>({ max: CACHED_NODES })
  const keyNids = createLru<string, number>({ max: CACHED_KEYS })
  const keyNames = createLru<number, StateKey>({ max: CACHED_KEYS })
  const seenOf = createLru<number, { readonly root: NodeName; readonly events: SeenState }>({
    max: SEEN_ROOMS,
  })
  const resolutionsOf = createLru<number, readonly RememberedResolution[]>({ max: RESOLVED_ROOMS })
  /** Most rooms have neither server ACL nor policy server, and are asked for both with each event: a root never gains a key. */
  const absent = createLru<string, true>({ max: CACHED_ABSENT })
  /** Given out in this process and not yet stored: every transaction that uses them stores them. */
  const fresh = new Map<string, number>()
  const interning = new Map<string, Promise<number>>()

  function rememberKey(key: StateKey, nid: number): void {
    keyNids.set(mapKey(key), nid)
    keyNames.set(nid, key)
  }

  async function fetch(roomNid: number, names: readonly NodeName[]): Promise<Map<NodeName, TrieNode>> {
    const found = new Map<NodeName, TrieNode>()
    const pace = createPace()
    for (let i = 0; i < names.length; i += BATCH) {
      const rows = await store.read('state.nodes', () => stateNodes(roomNid, names.slice(i, i + BATCH)))
      for (const row of rows) {
        const node = decodeNode(row.data)
        nodes.set(row.hash, node)
        found.set(row.hash, node)
      }
      await pace()
    }
    return found
  }

  async function run<T>(walk: Walk<T>, roomNid: number, overlay: Overlay | undefined): Promise<T> {
    const pace = createPace()
    let step = walk.next()
    while (!step.done) {
      await pace()
      const names = step.value
      const have = names.map((name) => overlay?.get(name)?.node ?? nodes.get(name))
      const missing = names.filter((_, i) => have[i] === undefined)
      if (missing.length > 0) {
        const fetched = await fetch(roomNid, missing)
        names.forEach((name, i) => {
          have[i] ??= fetched.get(name)
          if (have[i] === undefined) throw new Error(`room ${roomNid} lacks state node ${name}`)
        })
      }
      step = walk.next(have as TrieNode[])
    }
    return step.value
  }

  async function nidsOf(keys: readonly StateKey[]): Promise<(number | undefined)[]> {
    const have = keys.map((key) => keyNids.get(mapKey(key)) ?? fresh.get(mapKey(key)))
    const unknown = new Map<string, string[]>()
    keys.forEach((key, i) => {
      if (have[i] !== undefined) return
      appendTo(unknown, key.type, key.stateKey)
    })
    if (unknown.size === 0) return have
    const rows = await store.read('state.keys', function* () {
      const out: StateKeyRow[] = []
      for (const [type, stateKeys] of unknown) out.push(...(yield* stateKeysOf(type, stateKeys)))
      return out
    })
    const found = new Map(rows.map((row) => [mapKey({ type: row.type, stateKey: row.state_key }), row.nid]))
    for (const row of rows) rememberKey({ type: row.type, stateKey: row.state_key }, row.nid)
    return keys.map((key, i) => have[i] ?? found.get(mapKey(key)))
  }

  async function assign(key: StateKey): Promise<number> {
    const [known] = await nidsOf([key])
    if (known !== undefined) return known
    const nid = await deps.nids.take('state-key')
    fresh.set(mapKey(key), nid)
    keyNames.set(nid, key)
    return nid
  }

  return {
    nidsOf,
    async intern(key) {
      const name = mapKey(key)
      const cached = keyNids.get(name)
      if (cached !== undefined) return { nid: cached, fresh: false }
      let running = interning.get(name)
      if (running === undefined) {
        running = assign(key).finally(() => interning.delete(name))
        interning.set(name, running)
      }
      const nid = await running
      // Whatever became of it elsewhere meanwhile: what is not known to be stored, the caller stores.
      return { nid, fresh: keyNids.get(name) !== nid }
    },
    async internMany(keys) {
      const known = await nidsOf(keys)
      const lacking = known.filter((nid) => nid === undefined).length
      let next = lacking === 0 ? 0 : await deps.nids.take('state-key', lacking)
      return keys.map((key, i) => {
        const name = mapKey(key)
        const nid = keyNids.get(name) ?? fresh.get(name) ?? known[i]
        if (nid !== undefined) return { nid, fresh: keyNids.get(name) !== nid }
        const own = next++
        fresh.set(name, own)
        keyNames.set(own, key)
        return { nid: own, fresh: true }
      })
    },
    disown(rows) {
      for (const row of rows) {
        const name = mapKey({ type: row.type, stateKey: row.state_key })
        if (fresh.get(name) !== row.nid) continue
        fresh.delete(name)
        keyNames.delete(row.nid)
      }
    },
    stored(rows) {
      for (const row of rows) {
        const key = { type: row.type, stateKey: row.state_key }
        fresh.delete(mapKey(key))
        rememberKey(key, row.nid)
      }
    },
    async keysOf(wanted) {
      const found = new Map<number, StateKey>()
      const missing: number[] = []
      for (const nid of wanted) {
        const key = keyNames.get(nid)
        if (key === undefined) missing.push(nid)
        else found.set(nid, key)
      }
      if (missing.length > 0) {
        for (const row of await store.read('state.keyNames', () => stateKeysByNids(missing))) {
          const key = { type: row.type, stateKey: row.state_key }
          rememberKey(key, row.nid)
          found.set(row.nid, key)
        }
      }
      return found
    },
    async read(roomNid, root, keys, overlay) {
      const places = overlay === undefined ? keys.map((key) => `${roomNid} ${root} ${mapKey(key)}`) : []
      if (places.length > 0 && places.every((place) => absent.get(place) === true)) return new Map()
      const wanted = await nidsOf(keys)
      for (const [i, place] of places.entries()) if (wanted[i] === undefined) absent.set(place, true)
      const byNid = await run(
        readKeys(
          root,
          wanted.filter((nid) => nid !== undefined),
        ),
        roomNid,
        overlay,
      )
      const out = new Map<string, number>()
      keys.forEach((key, i) => {
        const nid = wanted[i] === undefined ? undefined : byNid.get(wanted[i])
        if (nid !== undefined) out.set(mapKey(key), nid)
      })
      return out
    },
    all: (roomNid, root, overlay) => run(readAll(root), roomNid, overlay),
    size: (roomNid, root) => run(readSize(root), roomNid, undefined),
    diff: (roomNid, before, after, overlay) => run(diff(before, after), roomNid, overlay),
    update: (roomNid, root, changes, overlay) => run(update(root, changes), roomNid, overlay),
    seen(roomNid, root) {
      const known = seenOf.get(roomNid)
      if (known?.root === root) return known.events
      const events: SeenState = new Map()
      seenOf.set(roomNid, { root, events })
      return events
    },
    resolutions: (roomNid) => resolutionsOf.get(roomNid) ?? [],
    keepResolutions(roomNid, resolutions) {
      if (resolutions.length > 0) resolutionsOf.set(roomNid, resolutions)
    },
    forgetSeen(roomNid) {
      seenOf.delete(roomNid)
      resolutionsOf.delete(roomNid)
    },
    remember(made) {
      for (const { name, node } of made) nodes.set(name, node)
    },
  }
}
