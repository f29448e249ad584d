import { FANOUT, LEAF_MAX, nibble, sizeOf, type NodeName, type TrieNode } from './node.js'
import { newNode, type NewNode, type Walk } from './walk.js'
import { readAll } from './read.js'

/** key nid → event nid, or undefined to remove the key. */
export type StateChanges = ReadonlyMap<number, number | undefined>

export interface Updated {
  readonly root: NodeName
  /** Nodes that the new state has and the old one had not (some may be known from other states). */
  readonly created: ReadonlyMap<NodeName, NewNode>
}

type Entries = readonly (readonly [number, number])[]

/** A subtree with more entries is built in several steps, some milliseconds each. */
const STEP_ENTRIES = 1_000

/** The subtree for these entries, built from nothing. */
function* build(entries: Entries, depth: number, created: Map<NodeName, NewNode>): Walk<NewNode> {
  if (entries.length <= LEAF_MAX) {
    const sorted = entries.toSorted((a, b) => a[0] - b[0])
    return keep(
      { kind: 'leaf', keys: sorted.map((entry) => entry[0]), events: sorted.map((entry) => entry[1]) },
      created,
    )
  }
  const groups: [number, number][][] = Array.from({ length: FANOUT }, () => [])
  for (const [key, event] of entries) groups[nibble(key, depth)]!.push([key, event])
  const children: (NodeName | undefined)[] = []
  for (const group of groups) {
    children.push(group.length === 0 ? undefined : (yield* build(group, depth + 1, created)).name)
    if (entries.length > STEP_ENTRIES) yield []
  }
  return keep({ kind: 'branch', size: entries.length, children }, created)
}

function keep(node: TrieNode, created: Map<NodeName, NewNode>): NewNode {
  const made = newNode(node)
  created.set(made.name, made)
  return made
}

function* updateNode(
  node: TrieNode | undefined,
  changes: StateChanges,
  depth: number,
  created: Map<NodeName, NewNode>,
  name: NodeName | undefined,
): Walk<{ name: NodeName | undefined; size: number }> {
  if (node === undefined || node.kind === 'leaf') {
    const entries = new Map(
      node === undefined ? [] : node.keys.map((key, i) => [key, node.events[i]!] as const),
    )
    for (const [key, event] of changes) {
      if (event === undefined) entries.delete(key)
      else entries.set(key, event)
    }
    if (entries.size === 0 && depth > 0) return { name: undefined, size: 0 }
    const made = yield* build([...entries], depth, created)
    return { name: made.name, size: sizeOf(made.node) }
  }
  const groups = new Map<number, Map<number, number | undefined>>()
  for (const [key, event] of changes) {
    const at = nibble(key, depth)
    const group = groups.get(at)
    if (group === undefined) groups.set(at, new Map([[key, event]]))
    else group.set(key, event)
  }
  const touched = [...groups.keys()].filter((at) => node.children[at] !== undefined)
  const loaded = yield touched.map((at) => node.children[at]!)
  const old = new Map(touched.map((at, i) => [at, loaded[i]!]))
  const children = [...node.children]
  let size = node.size
  for (const [at, group] of groups) {
    const before = old.get(at)
    const result = yield* updateNode(before, group, depth + 1, created, node.children[at])
    size += result.size - (before === undefined ? 0 : sizeOf(before))
    children[at] = result.name
  }
  if (size <= LEAF_MAX) {
    // Few enough for a leaf: gather what remains below, some of it just made.
    const entries: (readonly [number, number])[] = []
    for (const child of children) {
      if (child === undefined) continue
      const fresh = created.get(child)
      if (fresh?.node.kind === 'leaf')
        fresh.node.keys.forEach((key, i) =>
          entries.push([key, (fresh.node as { events: readonly number[] }).events[i]!]),
        )
      else entries.push(...(yield* readAll(child)))
    }
    const made = yield* build(entries, depth, created)
    return { name: made.name, size }
  }
  if (children.every((child, i) => child === node.children[i])) return { name, size }
  return { name: keep({ kind: 'branch', size, children }, created).name, size }
}

/** The state after some changes; `root` undefined is the empty state. */
export function* update(root: NodeName | undefined, changes: StateChanges): Walk<Updated> {
  const created = new Map<NodeName, NewNode>()
  const node = root === undefined ? undefined : (yield [root])[0]
  const result = yield* updateNode(node, changes, 0, created, root)
  return { root: result.name!, created }
}
