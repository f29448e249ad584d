import type { Store } from './tx.js'

/** What is held back: the next call with this label. */
export interface Held {
  /** The call's work is done, and its answer is withheld. */
  readonly reached: Promise<void>
  release(): void
}

/** A store that answers as late as the test wants, as one behind a network does: what it says was true when it was asked. */
export interface LateStore extends Store {
  /** Withholds the answer of the next read or write of this label. For `position` the label is `position`. */
  hold(label: string): Held
  /** From now on each answer waits for what this gives. */
  delay(wait: (() => Promise<void>) | undefined): void
}

interface Gate {
  readonly label: string
  reach(): void
  readonly released: Promise<void>
}

export function lateStore(store: Store): LateStore {
  const gates: Gate[] = []
  let delay: (() => Promise<void>) | undefined

  async function answer<T>(label: string, work: Promise<T>): Promise<T> {
    const index = gates.findIndex((gate) => gate.label === label)
    const gate = index < 0 ? undefined : gates.splice(index, 1)[0]
    try {
      return await work
    } finally {
      gate?.reach()
      await gate?.released
      await delay?.()
    }
  }

  return {
    ...store,
    read: (label, body) => answer(label, store.read(label, body)),
    write: (label, body) => answer(label, store.write(label, body)),
    position: () => answer('position', store.position()),
    hold(label) {
      let reach: () => void = () => undefined
      let release: () => void = () => undefined
      const reached = new Promise<void>((resolve) => (reach = resolve))
      const released = new Promise<void>((resolve) => (release = resolve))
      gates.push({ label, reach: () => reach(), released })
      return { reached, release: () => release() }
    },
    delay(wait) {
      delay = wait
    },
  }
}
