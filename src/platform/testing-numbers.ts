/** Numbers from 0 to below 1, the same in every run for the same seed, so that a failure can be run again (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Whole numbers from 0 to below the given one, likewise. */
export function wholeNumbersFrom(seed: number): (below: number) => number {
  const number = numbersFrom(seed)
  return (below) => Math.floor(number() * below)
}
