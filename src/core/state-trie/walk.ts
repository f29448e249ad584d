import { encodeNode, nodeName, type NodeName, type TrieNode } from './node.js'

/**
 * A computation over stored nodes: yields the names that it needs next and is sent their nodes, in the same order.
 * It stays pure; whoever runs it decides whether nodes come from memory or from disk. Long work without a need for nodes yields
 * no names from time to time: the runner may then let other work run.
 */
export type Walk<T> = Generator<readonly NodeName[], T, readonly TrieNode[]>

export interface NewNode {
  readonly name: NodeName
  readonly node: TrieNode
  readonly bytes: Uint8Array
}

export function newNode(node: TrieNode): NewNode {
  const bytes = encodeNode(node)
  return { name: nodeName(bytes), node, bytes }
}

/** Runs a walk whose nodes are all in memory. */
export function runSync<T>(walk: Walk<T>, load: (name: NodeName) => TrieNode): T {
  let step = walk.next()
  while (!step.done) step = walk.next(step.value.map(load))
  return step.value
}
