import type { Clock } from '../../../../platform/clock.js'

/**
 * Time that passes only when told to, for everything in the process that waits: `setTimeout` and `performance.now` are taken over
 * between `install` and `uninstall`. One thing happens at a time, and what it causes at once is over before the next,
 * so that a run depends on nothing but its seed.
 */
export interface VirtualTime extends Clock {
  /** Calls back after a while, in milliseconds; gives a function that takes it back. */
  after(ms: number, task: () => void): () => void
  sleep(ms: number): Promise<void>
  /** The next thing happens; false where nothing is left to happen. */
  step(): Promise<boolean>
  /** Resolves when nothing runs that does not wait for time to pass. */
  calm(): Promise<void>
  install(): void
  uninstall(): void
}

interface Entry {
  readonly at: number
  readonly order: number
  task: (() => void) | undefined
}

const EPOCH = 1_750_000_000_000

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** A binary heap. */
function createQueue() {
  const heap: Entry[] = []
  const swap = (i: number, j: number): void => {
    const held = heap[i]!
    heap[i] = heap[j]!
    heap[j] = held
  }
  return {
    push(entry: Entry): void {
      heap.push(entry)
      for (let i = heap.length - 1; i > 0;) {
        const parent = (i - 1) >> 1
        if (!isBefore(heap[i]!, heap[parent]!)) return
        swap(i, parent)
        i = parent
      }
    },
    pop(): Entry | undefined {
      if (heap.length === 0) return undefined
      swap(0, heap.length - 1)
      const first = heap.pop()
      for (let i = 0; ;) {
        const [left, right] = [2 * i + 1, 2 * i + 2]
        let least = i
        if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left
        if (right < heap.length && isBefore(heap[right]!, heap[least]!)) least = right
        if (least === i) return first
        swap(i, least)
        i = least
      }
    },
  }
}

/** `passed`: milliseconds that have passed already. */
export function virtualTime(passed = 0): VirtualTime {
  const queue = createQueue()
  let order = 0
  const real = { setTimeout, clearTimeout, now: performance.now.bind(performance), setImmediate }
  let hadOwnNow = false

  function after(ms: number, task: () => void): () => void {
    const entry: Entry = { at: passed + Math.max(ms, 0), order: order++, task }
    queue.push(entry)
    return () => {
      entry.task = undefined
    }
  }

  async function calm(): Promise<void> {
    do await new Promise((resolve) => real.setImmediate(resolve))
    while (process.getActiveResourcesInfo().includes('Immediate'))
  }

  return {
    now: () => EPOCH + Math.floor(passed),
    monotonic: () => passed,
    after,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    calm,
    async step() {
      for (;;) {
        const entry = queue.pop()
        if (entry === undefined) return false
        if (entry.task === undefined) continue
        passed = Math.max(passed, entry.at)
        entry.task()
        await calm()
        return true
      }
    },
    install() {
      const later = (task: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): object => {
        const cancel = after(ms, () => task(...args))
        const handle = { cancel, ref: () => handle, unref: () => handle, hasRef: () => true }
        return handle
      }
      const cancel = (handle: { cancel?: () => void } | undefined): void => handle?.cancel?.()
      hadOwnNow = Object.hasOwn(performance, 'now')
      Object.assign(globalThis, { setTimeout: later, clearTimeout: cancel })
      performance.now = () => passed
    },
    uninstall() {
      Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout })
      if (hadOwnNow) performance.now = real.now
      else delete (performance as { now?: unknown }).now
    },
  }
}
