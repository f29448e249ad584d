import { createHash } from 'node:crypto'

/**
 * The state of a room as a persistent trie: key nid → event nid. A node is immutable and named by the hash of its
 * bytes, so equal states have equal roots, states share what they have in common, and the difference of two states
 * costs what differs. See docs/adr/0003-state-as-a-persistent-trie.md.
 */
export type NodeName = string

export interface Leaf {
  readonly kind: 'leaf'
  /** Ascending key nids, and the event nid of each. */
  readonly keys: readonly number[]
  readonly events: readonly number[]
}

export interface Branch {
  readonly kind: 'branch'
  /** How many keys stand below. */
  readonly size: number
  /** One child for each nibble. */
  readonly children: readonly (NodeName | undefined)[]
}

export type TrieNode = Leaf | Branch

/** A leaf with more keys becomes a branch, a branch with as few becomes a leaf: the shape depends on the keys alone. */
export const LEAF_MAX = 32
export const FANOUT = 16
const NAME_BYTES = 16

/** Spreads consecutive nids over the trie. A bijection of 32-bit integers: two keys never stay together to the end. */
function mix(nid: number): number {
  let x = nid | 0
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b)
  x = Math.imul(x ^ (x >>> 16), 0x45d9f3b)
  return (x ^ (x >>> 16)) >>> 0
}

/** The child of a branch at this depth (0 at the root) below which the key stands. */
export const nibble = (keyNid: number, depth: number): number => (mix(keyNid) >>> (28 - 4 * depth)) & 15

export const sizeOf = (node: TrieNode): number => (node.kind === 'leaf' ? node.keys.length : node.size)

function writeVarint(out: number[], value: number): void {
  let rest = value
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  out.push(rest)
}

/** Bytes: 0, then count and (key difference, event) pairs; or 1, size, bitmap of children, their names. All varints. */
export function encodeNode(node: TrieNode): Uint8Array {
  const out: number[] = []
  if (node.kind === 'leaf') {
    out.push(0)
    writeVarint(out, node.keys.length)
    let previous = 0
    node.keys.forEach((key, i) => {
      writeVarint(out, key - previous)
      writeVarint(out, node.events[i]!)
      previous = key
    })
    return Uint8Array.from(out)
  }
  out.push(1)
  writeVarint(out, node.size)
  let bitmap = 0
  node.children.forEach((child, i) => {
    if (child !== undefined) bitmap |= 1 << i
  })
  out.push(bitmap & 0xff, bitmap >>> 8)
  const names = node.children.filter((child) => child !== undefined)
  const bytes = Buffer.alloc(out.length + names.length * NAME_BYTES)
  bytes.set(out)
  names.forEach((name, i) => bytes.write(name, out.length + i * NAME_BYTES, 'base64url'))
  return bytes
}

/** Throws on bytes that `encodeNode` never writes: the database is damaged. */
export function decodeNode(bytes: Uint8Array): TrieNode {
  let at = 1
  const varint = (): number => {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('a state node ends early')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 0x80
    }
  }
  if (bytes[0] === 0) {
    const count = varint()
    const keys: number[] = []
    const events: number[] = []
    let key = 0
    for (let i = 0; i < count; i++) {
      key += varint()
      keys.push(key)
      events.push(varint())
    }
    return { kind: 'leaf', keys, events }
  }
  if (bytes[0] !== 1) throw new Error('a state node is of no known kind')
  const size = varint()
  const bitmap = bytes[at]! | (bytes[at + 1]! << 8)
  at += 2
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const children: (NodeName | undefined)[] = Array.from({ length: FANOUT })
  for (let i = 0; i < FANOUT; i++) {
    if ((bitmap & (1 << i)) === 0) continue
    children[i] = buffer.toString('base64url', at, at + NAME_BYTES)
    at += NAME_BYTES
  }
  if (at > bytes.byteLength) throw new Error('a state node ends early')
  return { kind: 'branch', size, children }
}

export const nodeName = (bytes: Uint8Array): NodeName =>
  createHash('sha256').update(bytes).digest().toString('base64url', 0, NAME_BYTES)
