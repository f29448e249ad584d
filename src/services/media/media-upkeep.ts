import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import {
  deleteExpiredAnnouncements,
  deleteMedia,
  deleteOrphanThumbnails,
  leastRecentRemoteMedia,
  mediaById,
  remoteMediaBytes,
} from '../../storage/tables/media.js'
import type { Store } from '../../storage/tx.js'
import type { BlobStore, InUse } from './blob-store.js'

/** Periodic work on the media store. */
export interface MediaUpkeep {
  /**
   * Deletes files to which no row points, and temporary files that nobody writes. To be called at start, after a
   * crash perhaps, and about once a day.
   */
  sweep(): Promise<{ temporary: number; orphans: number }>
  /** Forgets announced uploads that did not arrive in time. Gives how many. */
  expireAnnounced(): Promise<number>
  /** Evicts other servers' media: the long unused, then the least recently used beyond the bound. Gives how many. */
  evictRemote(): Promise<number>
  /** Deletes one medium, and its bytes and thumbnails when nothing else has them (the next sweep takes what is left). False when there was none. */
  remove(origin: string, mediaId: string): Promise<boolean>
}

export interface MediaUpkeepDeps {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly blobs: BlobStore
  readonly inUse: InUse
  readonly graceMs: number
  readonly options: { readonly remoteCacheBytes?: number; readonly remoteCacheMs?: number }
}

const BATCH = 100

export function createMediaUpkeep(deps: MediaUpkeepDeps): MediaUpkeep {
  const { store, clock, blobs, inUse, graceMs, options } = deps

  async function forgetOrphanThumbnails(): Promise<void> {
    while ((await store.write('media.orphanThumbnails', () => deleteOrphanThumbnails(BATCH))) === BATCH) {
      // One batch after the other, so that other writers get their turns.
    }
  }

  /** Deletes rows, then the files that nothing points at any more. Thumbnails' files go with the next sweep. */
  async function removeRows(
    rows: readonly { readonly origin: string; readonly media_id: string; readonly sha256: string | null }[],
  ): Promise<void> {
    const keys = rows.map((row) => [row.origin, row.media_id] as const)
    await store.write('media.remove', () => deleteMedia(keys))
    await forgetOrphanThumbnails()
    const hashes = rows.map((row) => row.sha256).filter((sha256) => sha256 !== null)
    await blobs.collect(hashes, graceMs, inUse)
  }

  async function evict(usedBefore: number, enough: (bytes: number) => boolean): Promise<number> {
    let evicted = 0
    for (;;) {
      const bytes = await store.read('media.remoteBytes', () => remoteMediaBytes())
      if (enough(bytes)) return evicted
      const rows = await store.read('media.leastRecent', () => leastRecentRemoteMedia(usedBefore, BATCH))
      if (rows.length === 0) return evicted
      let left = bytes
      const going = rows.filter((row) => {
        if (enough(left)) return false
        left -= row.size
        return true
      })
      await removeRows(going)
      evicted += going.length
    }
  }

  return {
    async sweep() {
      await forgetOrphanThumbnails()
      const swept = await blobs.sweep(graceMs, inUse)
      if (swept.temporary + swept.orphans > 0) deps.logger.info(swept, 'media store swept')
      return swept
    },
    async expireAnnounced() {
      let total = 0
      for (;;) {
        const now = clock.now()
        const deleted = await store.write('media.expire', () => deleteExpiredAnnouncements(now, BATCH))
        total += deleted
        if (deleted < BATCH) return total
      }
    },
    async evictRemote() {
      const { remoteCacheBytes, remoteCacheMs } = options
      let evicted = 0
      if (remoteCacheMs !== undefined) evicted += await evict(clock.now() - remoteCacheMs, () => false)
      if (remoteCacheBytes !== undefined) {
        evicted += await evict(Number.MAX_SAFE_INTEGER, (bytes) => bytes <= remoteCacheBytes)
      }
      return evicted
    },
    async remove(origin, mediaId) {
      const row = await store.read('media.remove', () => mediaById(origin, mediaId))
      if (row === undefined) return false
      await removeRows([row])
      return true
    },
  }
}
