import { sfc32 } from '../../../../platform/testing-numbers.js'
import { randomFrom, type Random } from '../../../../platform/random.js'

/** Chance that a seed decides: the same calls in the same order give the same answers, on every machine. */
export interface Seeded {
  /** At least 0, less than 1. */
  real(): number
  /** A whole number from `min` to `max`, both possible. */
  int(min: number, max: number): number
  chance(probability: number): boolean
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T
  /** One of the names, in proportion to their weights. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K
  /** Chance of its own for a purpose: what one draws does not shift what another gets. */
  fork(label: string): Seeded
  /** The same as the services want it. */
  readonly random: Random
}

/** Four words out of a text (MurmurHash3's mixing); neighbouring seeds give unlike words. */
function words(text: string): [number, number, number, number] {
  let h = 1_779_033_703 ^ text.length
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 3_432_918_353)
    h = (h << 13) | (h >>> 19)
  }
  const next = (): number => {
    h = Math.imul(h ^ (h >>> 16), 2_246_822_507)
    h = Math.imul(h ^ (h >>> 13), 3_266_489_909)
    return (h ^= h >>> 16) >>> 0
  }
  return [next(), next(), next(), next()]
}

export function seeded(seed: string): Seeded {
  const next = sfc32(...words(seed))
  const real = (): number => next() / 2 ** 32
  const own: Seeded = {
    real,
    int: (min, max) => min + Math.floor(real() * (max - min + 1)),
    chance: (probability) => real() < probability,
    pick: (list) => list[Math.floor(real() * list.length)]!,
    weighted(weights) {
      const entries = Object.entries(weights) as [keyof typeof weights, number][]
      let at = real() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) if ((at -= weight) < 0) return name
      return entries.at(-1)![0]
    },
    fork: (label) => seeded(`${seed}/${label}`),
    random: randomFrom((length) => Uint8Array.from({ length }, () => next() & 0xff)),
  }
  return own
}
