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

/** Numbers of 32 bits from a state of 128 (sfc32), stirred. */
export function sfc32(a: number, b: number, c: number, counter: number): () => number {
  function next(): number {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  return next
}
