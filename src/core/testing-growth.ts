// For tests: how time grows with the size of the work. A bound in milliseconds fails on a busy machine and under coverage; how
// the time of a large piece of work compares with that of a small one of the same kind does not.

/**
 * How many times as long the large work takes as the small one. Both run by turns, and the best time of each counts. Time is the
 * processor's: by the clock, what else the machine does would fall on the large one, which no pause between others is long
 * enough for. For work four times as large, linear means 4 and quadratic 16.
 */
export function growth(small: () => unknown, large: () => unknown, rounds = 10): number {
  let [smallest, largest] = [Infinity, Infinity]
  for (let round = 0; round < rounds; round++) {
    largest = Math.min(largest, microseconds(large))
    smallest = Math.min(smallest, microseconds(small), microseconds(small), microseconds(small))
  }
  return largest / Math.max(smallest, 1)
}

function microseconds(work: () => unknown): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
