import { sfc32 } from '../../../src/platform/testing-numbers.js'

/** A small seeded source of choices: the same seed gives the same room, on every machine. */
export interface Dice {
  /** An integer from 0 to `below` − 1. */
  int(below: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
  /** Picks among alternatives by weight; weights of 0 are never picked. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T
  /** Up to `count` different items, in random order. */
  some<T>(items: readonly T[], count: number): T[]
}

export function dice(seed: number): Dice {
  const next = sfc32(seed | 0, 0x9e3779b9 ^ seed, 0x243f6a88, 1)

  const int = (below: number): number => Math.floor((next() / 4_294_967_296) * below)
  const pick = <T>(items: readonly T[]): T => {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[int(items.length)] as T
  }
  return {
    int,
    chance: (probability) => next() < probability * 4_294_967_296,
    pick,
    weighted(items) {
      const total = items.reduce((sum, [weight]) => sum + weight, 0)
      let left = (next() / 4_294_967_296) * total
      for (const [weight, item] of items) {
        if (weight > 0 && left < weight) return item
        left -= weight
      }
      return (items.findLast(([weight]) => weight > 0) ?? items[0]!)[1]
    },
    some(items, count) {
      const left = [...items]
      const out = []
      while (out.length < count && left.length > 0) out.push(left.splice(int(left.length), 1)[0]!)
      return out
    },
  }
}
