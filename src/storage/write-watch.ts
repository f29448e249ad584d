import type { Clock } from '../platform/clock.js'
import { StorageError, type StorageErrorCode } from './errors.js'
import type { Store } from './tx.js'

export interface WriteWatch {
  readonly store: Store
  /** Why the last write that reached the disk failed there; undefined once one has succeeded some seconds later. */
  fault(): StorageErrorCode | undefined
}

/** Faults of the disk or of the connection to the database: whoever writes next meets them too. */
const OF_THE_DISK: ReadonlySet<StorageErrorCode> = new Set(['full', 'io', 'faulted', 'unknown-outcome'])

/** On a disk that is almost full small writes succeed while large ones fail: one that succeeds soon after proves nothing. */
const HOLD_MS = 5_000

/** A store that remembers whether it can still write. */
export function watchWrites(inner: Store, clock: Pick<Clock, 'monotonic'>): WriteWatch {
  let fault: StorageErrorCode | undefined
  let failedAt = 0
  const store: Store = {
    ...inner,
    async write(label, body) {
      try {
        const result = await inner.write(label, body)
        if (fault !== undefined && clock.monotonic() - failedAt >= HOLD_MS) fault = undefined
        return result
      } catch (error) {
        if (error instanceof StorageError && OF_THE_DISK.has(error.code)) {
          fault = error.code
          failedAt = clock.monotonic()
        }
        throw error
      }
    },
  }
  return { store, fault: () => fault }
}
