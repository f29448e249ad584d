import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeNode, encodeNode, LEAF_MAX, nibble, type NodeName, type TrieNode } from './node.js'
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

  /** Keys 1 to `count`, each with its number times `factor` as event. */
  const first = (count: number, factor = 1): Map<number, number> =>
    new Map(Array.from({ length: count }, (_, i) => [i + 1, (i + 1) * factor]))

  it.each([
    ['a leaf that grows into a branch', LEAF_MAX, LEAF_MAX + 1],
    ['a branch that shrinks into a leaf', LEAF_MAX + 1, LEAF_MAX],
    ['an empty state and a large one', 0, 600],
    ['a small state and a large one', 3, 600],
  ])('finds the differences between %s', (_name, before, after) => {
    for (const factor of [1, 2]) {
      const nodes = memory()
      const changes = runSync(
        diff(nodes.apply(undefined, first(before)), nodes.apply(undefined, first(after, factor))),
        nodes.load,
      )
      const expected = new Map<number, readonly [number | undefined, number | undefined]>()
      for (let key = 1; key <= Math.max(before, after); key++) {
        const was = key <= before ? key : undefined
        const is = key <= after ? key * factor : undefined
        if (was !== is) expected.set(key, [was, is])
      }
      expect(new Map([...changes].sort((x, y) => x[0] - y[0]))).toEqual(expected)
    }
  })

  it('finds the differences where a leaf faces a branch below the root', () => {
    // All keys below one child of the root, so that one side has a leaf there and the other a branch.
    const below = Array.from({ length: 5_000 }, (_, i) => i + 1).filter((key) => nibble(key, 0) === 3)
    const elsewhere = Array.from({ length: 200 }, (_, i) => i + 1).filter((key) => nibble(key, 0) !== 3)
    const nodes = memory()
    const entries = (keys: readonly number[]): [number, number][] => keys.map((key) => [key, key])
    const small = nodes.apply(undefined, entries([...elsewhere, ...below.slice(0, LEAF_MAX)]))
    const large = nodes.apply(undefined, [
      ...entries([...elsewhere, ...below.slice(1, LEAF_MAX + 9)]),
      [below[5]!, 7],
    ])
    const gone = below[0]!
    const added = below.slice(LEAF_MAX, LEAF_MAX + 9)
    const between = runSync(diff(small, large), nodes.load)
    expect(between).toEqual(
      new Map<number, readonly [number | undefined, number | undefined]>([
        [gone, [gone, undefined]],
        [below[5]!, [below[5]!, 7]],
        ...added.map((key) => [key, [undefined, key]] as const),
      ]),
    )
    const back = new Map([...runSync(diff(large, small), nodes.load)].map(([key, [a, b]]) => [key, [b, a]]))
    expect(back).toEqual(between)
  })

  it('knows that no state differs from itself, and reads nothing for it', () => {
    const nodes = memory()
    const root = nodes.apply(undefined, first(100))
    nodes.reads = 0
    expect(runSync(diff(root, root), nodes.load).size).toBe(0)
    expect(runSync(diff(undefined, undefined), nodes.load).size).toBe(0)
    expect(nodes.reads).toBe(0)
  })

  it('reads everything as new or gone beside no state at all', () => {
    const nodes = memory()
    const root = nodes.apply(undefined, first(LEAF_MAX + 20))
    expect(runSync(diff(undefined, root), nodes.load).get(7)).toEqual([undefined, 7])
    expect(runSync(diff(root, undefined), nodes.load).size).toBe(LEAF_MAX + 20)
  })

  it('becomes one leaf again when few enough keys are left, from any depth', () => {
    const nodes = memory()
    for (const [count, keep] of [
      [LEAF_MAX + 1, LEAF_MAX],
      [700, LEAF_MAX],
      [700, 1],
      [700, 0],
    ] as const) {
      const large = nodes.apply(undefined, first(count))
      const removals = Array.from({ length: count - keep }, (_, i) => [keep + i + 1, undefined] as const)
      expect(nodes.apply(large, removals)).toBe(nodes.apply(undefined, first(keep)))
    }
  })

  it('stays the same when changes change nothing', () => {
    const nodes = memory()
    const root = nodes.apply(undefined, first(700))
    expect(nodes.apply(root, [[5, 5]])).toBe(root)
    expect(nodes.apply(root, [[9_999, undefined]])).toBe(root)
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
