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
  // sfc32, seeded from one 32-bit number and stirred.
  let a = seed | 0
  let b = 0x9e3779b9 ^ seed
  let c = 0x243f6a88
  let counter = 1
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) next()

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
