import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import {
  deleteExpiredAnnouncements,
  deleteMedia,
  deleteOrphanThumbnails,
  mediaById,
  remoteMediaUsedUntil,
  thumbnailSourcesAfter,
  type RemoteUse,
} from '../../storage/tables/media.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
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
  /** Evicts what of other servers was last used before a time (milliseconds), for administrators. Gives how many. */
  evictRemoteBefore(ts: number): Promise<number>
  /** Deletes one medium, and its bytes and thumbnails when nothing else has them. False when there was none. */
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
const PAGE = 1000
/** After every place there is. */
const LATEST: RemoteUse = { last_access_ts: Number.MAX_SAFE_INTEGER, origin: '', media_id: '' }

export function createMediaUpkeep(deps: MediaUpkeepDeps): MediaUpkeep {
  const { store, clock, blobs, inUse, graceMs, options } = deps

  async function forgetOrphanThumbnails(): Promise<void> {
    for (let after = ''; ;) {
      const place = after
      const sources = await store.read('media.thumbnailSources', () => thumbnailSourcesAfter(place, BATCH))
      await store.write('media.orphanThumbnails', () => deleteOrphanThumbnails(sources))
      if (sources.length < BATCH) return
      after = sources.at(-1)!
    }
  }

  /** Deletes rows, then thumbnails and files to which nothing points any more. */
  async function removeRows(
    rows: readonly { readonly origin: string; readonly media_id: string; readonly sha256: string | null }[],
  ): Promise<void> {
    const keys = rows.map((row) => [row.origin, row.media_id] as const)
    const hashes = [...new Set(rows.map((row) => row.sha256).filter((sha256) => sha256 !== null))]
    const thumbnails = await store.write('media.remove', function* () {
      yield* deleteMedia(keys)
      return yield* deleteOrphanThumbnails(hashes)
    })
    await blobs.collect([...hashes, ...new Set(thumbnails)], graceMs, inUse)
  }

  /** Evicts what was last used at a place or before. */
  async function evictFrom(place: RemoteUse): Promise<number> {
    for (let evicted = 0; ;) {
      const rows = await store.read('media.evict', () => remoteMediaUsedUntil(place, BATCH))
      if (rows.length === 0) return evicted
      await removeRows(rows)
      evicted += rows.length
    }
  }

  /** Goes from the last used back to the one with which the bound is crossed. Pages, not a sum: that would stop the world. */
  async function placeBeyond(bytes: number): Promise<RemoteUse | undefined> {
    let place = LATEST
    let kept = 0
    // The last row of a page begins the next one, and counts once.
    for (let counted: RemoteUse | undefined; ;) {
      const from = place
      const rows = await store.read('media.remoteBytes', () => remoteMediaUsedUntil(from, PAGE))
      for (const row of rows) {
        if (counted?.origin === row.origin && counted.media_id === row.media_id) continue
        kept += row.size
        if (kept > bytes) return row
      }
      if (rows.length < PAGE) return undefined
      place = rows.at(-1)!
      counted = place
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
      const now = clock.now()
      return deleteInBatches(store, 'media.expire', BATCH, (size) => deleteExpiredAnnouncements(now, size))
    },
    async evictRemote() {
      const { remoteCacheBytes, remoteCacheMs } = options
      let evicted = 0
      if (remoteCacheMs !== undefined) {
        const before = clock.now() - remoteCacheMs
        evicted += await evictFrom({ last_access_ts: before, origin: '', media_id: '' })
      }
      if (remoteCacheBytes !== undefined) {
        const place = await placeBeyond(remoteCacheBytes)
        if (place !== undefined) evicted += await evictFrom(place)
      }
      return evicted
    },
    evictRemoteBefore: (ts) => evictFrom({ last_access_ts: ts, origin: '', media_id: '' }),
    async remove(origin, mediaId) {
      const row = await store.read('media.remove', () => mediaById(origin, mediaId))
      if (row === undefined) return false
      await removeRows([row])
      return true
    },
  }
}
