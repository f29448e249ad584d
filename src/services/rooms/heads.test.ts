import { describe, expect, it } from '@jest/globals'
import { boundedHeads, MAX_HEADS } from './heads.js'
import type { Head } from './working-room.js'

const heads = (count: number): Head[] =>
  Array.from({ length: count }, (_, i) => ({ nid: i + 1, id: `$${i + 1}`, depth: 100 - i }))

describe('the heads of a room', () => {
  it('are left alone while one event can name them all', () => {
    const all = heads(MAX_HEADS)
    expect(boundedHeads(all, () => 'a.example')).toEqual(all)
  })

  it('of one server are its newest, whatever depth they claim', () => {
    const kept = boundedHeads(heads(100), () => 'a.example')
    expect(kept.map(({ nid }) => nid)).toEqual(Array.from({ length: MAX_HEADS }, (_, i) => 81 + i))
  })

  it('of a server that makes too many do not displace those of others', () => {
    const serverOf = ({ nid }: Head): string => (nid <= 3 ? `quiet${nid}.example` : 'loud.example')
    const kept = boundedHeads(heads(200), serverOf)
    expect(kept).toHaveLength(MAX_HEADS)
    expect(kept.slice(0, 3).map(({ nid }) => nid)).toEqual([1, 2, 3])
    expect(kept.at(-1)!.nid).toBe(200)
  })
})
