import type { Store } from '../../../../storage/tx.js'
import type { VirtualTime } from './virtual-time.js'

/**
 * A process's way to its disk. Writes take time before they are on disk and before their writer learns of it, in the order
 * in which they were asked for. After `crash` nobody hears anything: what was not on disk is lost, and what was is
 * there for the next process.
 */
export interface FragileStore extends Store {
  crash(): void
  /** Told the label of each write that is on disk, before its writer learns of it. */
  onWritten: (label: string) => void
}

/** `delay`: milliseconds, asked twice for each write. */
export function fragileStore(inner: Store, time: VirtualTime, delay: () => number): FragileStore {
  let dead = false
  let written = 0
  let answered = 0
  const never = new Promise<never>(() => undefined)

  /** Waits so that nobody who asked later is through earlier; at once where nobody waits. */
  async function until(at: number): Promise<void> {
    if (at > time.monotonic()) await time.sleep(at - time.monotonic())
  }

  async function alive<T>(work: Promise<T>): Promise<T> {
    try {
      const value = await work
      return dead ? await never : value
    } catch (error) {
      if (dead) return never
      throw error
    }
  }

  const fragile: FragileStore = {
    dialect: inner.dialect,
    onWritten: () => undefined,
    read: (label, body) => (dead ? never : alive(inner.read(label, body))),
    async write(label, body) {
      if (dead) return never
      written = Math.max(written, time.monotonic() + delay())
      await until(written)
      if (dead) return never
      let failed = false
      let result: unknown
      try {
        result = await inner.write(label, body)
      } catch (error) {
        failed = true
        result = error
      }
      if (!dead && !failed) fragile.onWritten(label)
      if (dead) return never
      answered = Math.max(answered, time.monotonic() + delay())
      await until(answered)
      if (dead) return never
      if (failed) throw result
      return result as never
    },
    position: () => (dead ? never : inner.position()),
    close: () => Promise.resolve(),
    crash() {
      dead = true
    },
  }
  return fragile
}
