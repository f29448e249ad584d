import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeNode, encodeNode, LEAF_MAX, type NodeName, type TrieNode } from './node.js'
import { diff, readAll, readKeys } from './read.js'
import { update } from './update.js'
import { runSync } from './walk.js'

/** Nodes in memory, each put through its bytes. */
function memory(): {
  load(name: NodeName): TrieNode
  apply(root: NodeName | undefined, changes: Iterable<readonly [number, number | undefined]>): NodeName
  reads: number
  size: number
} {
  const nodes = new Map<NodeName, TrieNode>()
  const self = {
    reads: 0,
    get size() {
      return nodes.size
    },
    load(name: NodeName) {
      self.reads++
      const node = nodes.get(name)
      if (node === undefined) throw new Error(`no node ${name}`)
      return node
    },
    apply(root: NodeName | undefined, changes: Iterable<readonly [number, number | undefined]>) {
      const result = runSync(update(root, new Map(changes)), self.load)
      for (const [name, made] of result.created) nodes.set(name, decodeNode(encodeNode(made.node)))
      return result.root
    },
  }
  return self
}

const changeLists = fc.array(
  fc.array(
    fc.tuple(
      fc.integer({ min: 1, max: 200 }),
      fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined }),
    ),
    {
      maxLength: 60,
    },
  ),
  { maxLength: 12 },
)

describe('the state trie', () => {
  it('holds what a map would hold after any changes', () => {
    fc.assert(
      fc.property(changeLists, (lists) => {
        const nodes = memory()
        const model = new Map<number, number>()
        let root = nodes.apply(undefined, [])
        for (const list of lists) {
          root = nodes.apply(root, list)
          for (const [key, event] of new Map(list)) {
            if (event === undefined) model.delete(key)
            else model.set(key, event)
          }
          const all = runSync(readAll(root), nodes.load)
          expect(new Map([...all].sort((a, b) => a[0] - b[0]))).toEqual(
            new Map([...model].sort((a, b) => a[0] - b[0])),
          )
          const some = [...model.keys()].slice(0, 5)
          expect(runSync(readKeys(root, [...some, 9999]), nodes.load)).toEqual(
            new Map(some.map((key) => [key, model.get(key)])),
          )
        }
      }),
      { numRuns: 200 },
    )
  })

  it('gives equal states equal roots, however they came about', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 5000 }), { maxLength: 150 }),
        fc.infiniteStream(fc.nat()),
        (keys, order) => {
          const nodes = memory()
          const entries = keys.map((key) => [key, key * 7] as const)
          const atOnce = nodes.apply(undefined, entries)
          let oneByOne = nodes.apply(undefined, [[77_777, 1]])
          const shuffled = entries
            .map((entry) => ({ entry, at: order.next().value as number }))
            .sort((a, b) => a.at - b.at)
            .map((item) => item.entry)
          for (const entry of shuffled) oneByOne = nodes.apply(oneByOne, [entry])
          oneByOne = nodes.apply(oneByOne, [[77_777, undefined]])
          expect(oneByOne).toBe(atOnce)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('finds exactly the differences of two states', () => {
    const state = fc.array(fc.tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 3 })), {
      maxLength: 150,
    })
    fc.assert(
      fc.property(state, state, (a, b) => {
        const nodes = memory()
        const left = new Map(a)
        const right = new Map(b)
        const changes = runSync(diff(nodes.apply(undefined, left), nodes.apply(undefined, right)), nodes.load)
        const expected = new Map<number, readonly [number | undefined, number | undefined]>()
        for (const key of new Set([...left.keys(), ...right.keys()])) {
          if (left.get(key) !== right.get(key)) expected.set(key, [left.get(key), right.get(key)])
        }
        expect(new Map([...changes].sort((x, y) => x[0] - y[0]))).toEqual(
          new Map([...expected].sort((x, y) => x[0] - y[0])),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('reads and writes in proportion to what changes, not to the size of the room', () => {
    const nodes = memory()
    const root = nodes.apply(
      undefined,
      Array.from({ length: 50_000 }, (_, i) => [i + 1, i + 1] as const),
    )
    const before = nodes.size
    nodes.reads = 0
    const changed = nodes.apply(root, [[12_345, 99_999]])
    expect(nodes.size - before).toBeLessThanOrEqual(5)
    expect(nodes.reads).toBeLessThanOrEqual(5)
    nodes.reads = 0
    expect(runSync(diff(root, changed), nodes.load)).toEqual(new Map([[12_345, [12_345, 99_999]]]))
    expect(nodes.reads).toBeLessThanOrEqual(10)
  })

  it('keeps a small state in one leaf', () => {
    const nodes = memory()
    nodes.apply(
      undefined,
      Array.from({ length: LEAF_MAX }, (_, i) => [i + 1, i + 1] as const),
    )
    expect(nodes.size).toBe(1)
  })

  it('refuses damaged bytes', () => {
    expect(() => decodeNode(Uint8Array.of(7))).toThrow('no known kind')
    expect(() => decodeNode(Uint8Array.of(0, 2, 1))).toThrow('ends early')
    expect(() => decodeNode(Uint8Array.of(1, 40, 1, 0, 9, 9))).toThrow('ends early')
  })
})
