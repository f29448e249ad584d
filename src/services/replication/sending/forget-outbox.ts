import type { Logger } from '../../../platform/logger.js'
import { clearOutbox } from '../../../storage/tables/outbox.js'
import type { Store } from '../../../storage/tx.js'

/** Removes what waits for servers that are spoken to no more; one removal at a time of each. */
export interface Forgetting {
  forget(destination: string): void
  /** Resolves when no removal is under way. */
  idle(): Promise<void>
}

/** What is put aside is decided by who is in a room, and whom this server speaks to by its configuration, which may change. */
export function createForgetting(store: Store, logger: Logger): Forgetting {
  const running = new Map<string, { again: boolean; done: Promise<void> }>()

  async function remove(destination: string): Promise<void> {
    try {
      for (let again = true; again;) {
        running.get(destination)!.again = false
        await store.write('sender.forget', () => clearOutbox(destination))
        again = running.get(destination)!.again
      }
    } catch (error) {
      // It is tried again with what comes next, or at the next start.
      logger.warn({ err: error, destination }, 'what waits for a server that is not spoken to stays')
    } finally {
      running.delete(destination)
    }
  }

  return {
    forget(destination) {
      const current = running.get(destination)
      if (current !== undefined) {
        current.again = true
        return
      }
      const entry = { again: false, done: Promise.resolve() }
      running.set(destination, entry)
      entry.done = remove(destination)
    },
    async idle() {
      while (running.size > 0) await Promise.all([...running.values()].map(({ done }) => done))
    },
  }
}
