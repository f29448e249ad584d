import { appendTo } from '../append-to.js'
import { FANOUT, nibble, sizeOf, type NodeName } from './node.js'
import type { Walk } from './walk.js'

/** Reads some keys; a key that the state does not have is absent from the answer. */
export function* readKeys(root: NodeName, keyNids: readonly number[]): Walk<Map<number, number>> {
  const found = new Map<number, number>()
  let level: { name: NodeName; keys: readonly number[] }[] =
    keyNids.length === 0 ? [] : [{ name: root, keys: keyNids }]
  for (let depth = 0; level.length > 0; depth++) {
    const nodes = yield level.map((item) => item.name)
    const next: typeof level = []
    level.forEach(({ keys }, i) => {
      const node = nodes[i]!
      if (node.kind === 'leaf') {
        for (const key of keys) {
          const at = node.keys.indexOf(key)
          if (at !== -1) found.set(key, node.events[at]!)
        }
        return
      }
      const byChild = new Map<NodeName, number[]>()
      for (const key of keys) {
        const child = node.children[nibble(key, depth)]
        if (child === undefined) continue
        appendTo(byChild, child, key)
      }
      for (const [name, wanted] of byChild) next.push({ name, keys: wanted })
    })
    level = next
  }
  return found
}

/** The whole state. */
export function* readAll(root: NodeName): Walk<Map<number, number>> {
  const found = new Map<number, number>()
  let level: NodeName[] = [root]
  while (level.length > 0) {
    const nodes = yield level
    const next: NodeName[] = []
    for (const node of nodes) {
      if (node.kind === 'leaf') node.keys.forEach((key, i) => found.set(key, node.events[i]!))
      else for (const child of node.children) if (child !== undefined) next.push(child)
    }
    level = next
  }
  return found
}

/** How many keys a state has: its first node knows. */
export function* readSize(root: NodeName): Walk<number> {
  const [node] = yield [root]
  return sizeOf(node!)
}

/** What differs between two states: key nid → [event nid before, event nid after], undefined where absent. */
export type StateDiff = Map<number, readonly [number | undefined, number | undefined]>

/** The difference of two states; subtrees that they share are not read. */
export function* diff(before: NodeName | undefined, after: NodeName | undefined): Walk<StateDiff> {
  const changes: StateDiff = new Map()
  type Pair = { before: NodeName | undefined; after: NodeName | undefined }
  let level: Pair[] = before === after ? [] : [{ before, after }]
  const leftOver = { before: [] as NodeName[], after: [] as NodeName[] }
  while (level.length > 0) {
    const names = level.flatMap((pair) => [pair.before, pair.after]).filter((name) => name !== undefined)
    const nodes = yield names
    let at = 0
    const next: Pair[] = []
    for (const pair of level) {
      const a = pair.before === undefined ? undefined : nodes[at++]
      const b = pair.after === undefined ? undefined : nodes[at++]
      if (a?.kind === 'branch' && b?.kind === 'branch') {
        for (let i = 0; i < FANOUT; i++) {
          if (a.children[i] !== b.children[i]) next.push({ before: a.children[i], after: b.children[i] })
        }
      } else if (a?.kind !== 'branch' && b?.kind !== 'branch') {
        const left = new Map(a === undefined ? [] : a.keys.map((key, i) => [key, a.events[i]!] as const))
        b?.keys.forEach((key, i) => {
          const was = left.get(key)
          if (was !== b.events[i]) changes.set(key, [was, b.events[i]])
          left.delete(key)
        })
        for (const [key, was] of left) changes.set(key, [was, undefined])
      } else {
        // A leaf on one side only: that subtree is small on one side, so read both whole.
        if (pair.before !== undefined) leftOver.before.push(pair.before)
        if (pair.after !== undefined) leftOver.after.push(pair.after)
      }
    }
    level = next
  }
  const left = new Map<number, number>()
  for (const name of leftOver.before) for (const [key, event] of yield* readAll(name)) left.set(key, event)
  for (const name of leftOver.after) {
    for (const [key, event] of yield* readAll(name)) {
      const was = left.get(key)
      if (was !== event) changes.set(key, [was, event])
      left.delete(key)
    }
  }
  for (const [key, was] of left) changes.set(key, [was, undefined])
  return changes
}
