import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { rulesOf } from '../testing.js'
import { authDifference } from './auth-difference.js'
import { authChain, authEdgesOf } from './auth-graph.js'
import { separate } from './conflicted.js'
import { createHeap } from './heap.js'
import { splitStateKey, stateKey } from './state-key.js'
import { conflictedSubgraph } from './subgraph.js'
import { create, testEvent } from '../testing.js'

/** `{ c: 'ab' }`: c points to a and b. */
const graph =
  (edges: Readonly<Record<string, string>>) =>
  (id: string): readonly string[] =>
    Array.from(edges[id] ?? '')
const sorted = (ids: Iterable<string>): string => [...ids].sort().join('')

describe('state keys', () => {
  it('are split where they were joined', () => {
    for (const [type, key] of [
      ['m.room.name', ''],
      ['a', 'b'],
      ['', ''],
      ['x', '@u:h'],
    ] as const) {
      expect(splitStateKey(stateKey(type, key))).toEqual({ type, stateKey: key })
    }
  })
  it('differ where type and key differ', () => {
    expect(stateKey('ab', 'c')).not.toBe(stateKey('a', 'bc'))
  })
})

describe('separate', () => {
  const state = (entries: Readonly<Record<string, string>>): Map<string, string> =>
    new Map(Object.entries(entries))
  const split = (version: number, ...states: Map<string, string>[]) => {
    const { unconflicted, conflicted } = separate(states, rulesOf(version))
    return {
      agreed: Object.fromEntries(unconflicted),
      conflicted: Object.fromEntries([...conflicted].map(([key, ids]) => [key, sorted(ids)])),
    }
  }
  it('finds what all states agree on', () => {
    for (const version of [1, 2, 12]) {
      expect(
        split(version, state({ a: '1', b: '2' }), state({ b: '3', a: '1' }), state({ a: '1', b: '2' })),
      ).toEqual({
        agreed: { a: '1' },
        conflicted: { b: '23' },
      })
      expect(split(version, state({ a: '1' }))).toEqual({ agreed: { a: '1' }, conflicted: {} })
      expect(split(version)).toEqual({ agreed: {}, conflicted: {} })
    }
  })
  it('calls a key that one state lacks conflicted, except in version 1', () => {
    const states = [state({ a: '1' }), state({})]
    expect(split(2, ...states)).toEqual({ agreed: {}, conflicted: { a: '1' } })
    expect(split(12, ...states)).toEqual({ agreed: {}, conflicted: { a: '1' } })
    expect(split(1, ...states)).toEqual({ agreed: { a: '1' }, conflicted: {} })
    expect(split(1, state({ a: '1' }), state({}), state({ a: '2' }))).toEqual({
      agreed: {},
      conflicted: { a: '12' },
    })
  })
})

describe('authChain', () => {
  const edges = graph({ d: 'bc', c: 'a', b: 'a', e: 'd' })
  it('is all that can be reached, with where it begins', () => {
    expect(sorted(authChain(['d'], edges))).toBe('abcd')
    expect(sorted(authChain(['b', 'c'], edges))).toBe('abc')
    expect(sorted(authChain([], edges))).toBe('')
    expect(sorted(authChain(['x'], edges))).toBe('x')
  })
  it('asks for the edges of what it reaches, once each, and of nothing else', () => {
    const asked: string[] = []
    authChain(['d'], (id) => {
      asked.push(id)
      return edges(id)
    })
    expect(asked.toSorted()).toEqual(['a', 'b', 'c', 'd'])
  })
  it('ends where it is told to', () => {
    expect(sorted(authChain(['d'], edges, (id) => id === 'b'))).toBe('acd')
    expect(sorted(authChain(['d'], edges, (id) => id === 'd'))).toBe('')
  })
  it('survives a cycle and a chain of 100,000', () => {
    expect(sorted(authChain(['a'], graph({ a: 'b', b: 'a' })))).toBe('ab')
    expect(authChain([100_000], (id) => (id > 1 ? [id - 1] : [])).size).toBe(100_000)
  })
  it('knows the edge to the create event that version 12 does not write down', () => {
    const event = { auth: ['$levels'], roomId: '!create' }
    expect(authEdgesOf(testEvent(rulesOf(11), event))).toEqual(['$levels'])
    expect(authEdgesOf(testEvent(rulesOf(12), event))).toEqual(['$levels', '$create'])
    expect(authEdgesOf(create(rulesOf(12)))).toEqual([])
  })
})

describe('authDifference', () => {
  const edges = graph({ b: 'a', c: 'b', d: 'b', e: 'cd' })
  const none = (): boolean => false
  it('is what is in some chains but not in all', () => {
    expect(sorted(authDifference([['c'], ['d']], edges, none))).toBe('cd')
    expect(sorted(authDifference([['e'], ['d']], edges, none))).toBe('ce')
    expect(sorted(authDifference([['c'], ['c']], edges, none))).toBe('')
    expect(sorted(authDifference([['c'], []], edges, none))).toBe('abc')
    expect(sorted(authDifference([['c'], ['d'], ['a']], edges, none))).toBe('bcd')
  })
  it('leaves out what is shared', () => {
    expect(sorted(authDifference([['c'], []], edges, (id) => 'ab'.includes(id)))).toBe('c')
  })
})

describe('conflictedSubgraph', () => {
  it('is the events between conflicted ones, with both ends', () => {
    //  f → e → d → b → a,  e → c → a
    const edges = graph({ f: 'e', e: 'dc', d: 'b', c: 'a', b: 'a' })
    const between = (...ids: string[]): string => sorted(conflictedSubgraph(new Set(ids), edges))
    expect(between('f', 'b')).toBe('bdef')
    expect(between('f', 'a')).toBe('abcdef')
    expect(between('d', 'c')).toBe('cd')
    expect(between('e')).toBe('e')
    expect(between()).toBe('')
    expect(between('d', 'b')).toBe('bd')
  })
})

describe('createHeap', () => {
  it('gives items in order, however they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = createHeap<number>((a, b) => a - b)
        for (const number of numbers) heap.push(number)
        const out: number[] = []
        for (let next = heap.pop(); next !== undefined; next = heap.pop()) out.push(next)
        expect(out).toEqual(numbers.toSorted((a, b) => a - b))
        expect(heap.pop()).toBeUndefined()
      }),
    )
  })
  it('takes new items between', () => {
    const heap = createHeap<number>((a, b) => a - b)
    heap.push(3)
    heap.push(1)
    expect(heap.pop()).toBe(1)
    heap.push(2)
    expect([heap.pop(), heap.pop(), heap.pop()]).toEqual([2, 3, undefined])
  })
})
