import { readFileSync } from 'node:fs'

/**
 * How long the longest turn of the event loop is during some work, in milliseconds of the processor's time for this thread: what else
 * the machine does, and what the thread pool does meanwhile, does not count.
 */
export async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  let longest = 0
  let last = threadMs()
  let under = true
  const look = (): void => {
    const now = threadMs()
    longest = Math.max(longest, now - last)
    last = now
    if (under) setImmediate(look)
  }
  setImmediate(look)
  try {
    await work()
  } finally {
    under = false
    look()
  }
  return longest
}

/** Linux tells it of the thread; elsewhere that of the process has to do. */
function threadMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6
  } catch {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  }
}
