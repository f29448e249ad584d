import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createKeyedQueue } from '../../platform/keyed-queue.js'
import { createPace } from '../../platform/pace.js'
import {
  purgeRecords,
  receiptsOf,
  roomIdsAfter,
  type PurgeRecordRow,
} from '../../storage/tables/retention.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Media } from '../media/media.js'
import type { RoomsContext } from '../rooms/context.js'
import type { LegalHolds } from './legal-holds.js'
import { createErasure, type EraseMessages } from './erase-messages.js'
import { deleteMedia, purgeMedia, type MediaWish } from './purge-media.js'
import { createPurgeNotices, type PurgeNotices, type PurgeNoticesDeps } from './purge-notices.js'
import { createRoomPurge, type RoomPurge, type SignRecord } from './purge-rooms.js'

/** What one run of the purge did. */
export interface PurgeRun {
  readonly rooms: readonly RoomPurge[]
  readonly media: number
}

/** How long what is said on this node lives, and what is kept nevertheless. */
export interface Retention {
  readonly holds: LegalHolds
  readonly notices: Pick<PurgeNotices, 'tell' | 'receive'>
  /** Whether anything is ever purged. */
  readonly isOn: boolean
  /** Job: goes through all rooms and media. Nothing where it is off. One run at a time: who asks meanwhile waits for the same. */
  run(): Promise<PurgeRun>
  /** Takes what was said, whatever its age, but for what is under a legal hold; also where nothing is purged by itself. */
  readonly erase: EraseMessages
  /** Deletes files of this server's users; gives their ids. One such deletion at a time: throws M_LIMIT_EXCEEDED. */
  deleteMedia(wish: MediaWish): Promise<readonly string[]>
  /** Signed records of what was purged, the latest first, with lower numbers than `before`. */
  records(before: number, limit: number): Promise<readonly PurgeRecord[]>
  /** Ends a run that is under way; the next one goes on where it was. */
  close(): Promise<void>
}

export interface RetentionDeps {
  readonly context: RoomsContext
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly media: Pick<Media, 'remove' | 'evictRemoteBefore'>
  readonly audit: AuditTrail
  readonly holds: LegalHolds
  readonly sign: SignRecord
  /** Milliseconds; undefined: files are kept for ever. */
  readonly mediaMs: number | undefined
  readonly client: PurgeNoticesDeps['client']
  readonly keys: PurgeNoticesDeps['keys']
  readonly isMember: PurgeNoticesDeps['isMember']
}

/** A purge, and what others signed of it; `receipt` is null while a server has not. */
export interface PurgeRecord extends PurgeRecordRow {
  readonly receipts: readonly { readonly server: string; readonly receipt: string | null }[]
}

const PAGE = 500
const MAX_RECORDS = 1_000

export function createRetention(deps: RetentionDeps): Retention {
  const { context, clock, logger, holds } = deps
  const { store, retention } = context
  const stopping = new AbortController()
  const { signal } = stopping
  const purgeOne =
    retention === undefined
      ? undefined
      : createRoomPurge({ ...deps, retention, witnesses: (roomNid) => notices.witnesses(roomNid) })
  /** A room is gone through by one at a time. */
  const turns = createKeyedQueue()
  const purgeRoom =
    purgeOne === undefined
      ? undefined
      : (roomNid: number, roomId: string): Promise<RoomPurge | undefined> =>
          turns.run(roomId, () => purgeOne(roomNid, roomId, signal))
  const notices = createPurgeNotices({ ...deps, purgeRoom })
  let running: Promise<PurgeRun> | undefined

  let deleting = false

  /** All rooms, for the pictures that they have. */
  async function everyRoom(): Promise<readonly string[]> {
    const ids: string[] = []
    for (let after = 0; ;) {
      const from = after
      const rows = await store.read('retention.rooms', () => roomIdsAfter(from, PAGE))
      ids.push(...rows.map((row) => row.room_id))
      if (rows.length < PAGE) return ids
      after = rows.at(-1)!.nid
    }
  }

  async function runOnce(): Promise<PurgeRun> {
    const done: RoomPurge[] = []
    const seen: string[] = []
    const pace = createPace()
    for (let after = 0; !signal.aborted;) {
      const from = after
      const rows = await store.read('retention.rooms', () => roomIdsAfter(from, PAGE))
      for (const { nid, room_id: roomId } of rows) {
        if (signal.aborted) break
        await pace()
        seen.push(roomId)
        if (holds.rooms.has(roomId)) continue
        try {
          const purge = await purgeRoom?.(nid, roomId)
          if (purge !== undefined && purge.events > 0) done.push(purge)
        } catch (error) {
          // One room that cannot be read keeps no other from being purged.
          logger.error({ err: error, roomId }, 'a room could not be purged')
        }
      }
      if (rows.length < PAGE) break
      after = rows.at(-1)!.nid
    }
    const { mediaMs } = deps
    const media =
      mediaMs === undefined || signal.aborted
        ? 0
        : await purgeMedia(deps, clock.now() - mediaMs, seen, signal)
    const events = done.reduce((sum, room) => sum + room.events, 0)
    if (events > 0 || media > 0)
      logger.info({ rooms: done.length, events, media }, 'what was too old was purged')
    return { rooms: done, media }
  }

  return {
    holds,
    notices,
    isOn: purgeRoom !== undefined,
    run() {
      if (purgeRoom === undefined) return Promise.resolve({ rooms: [], media: 0 })
      running ??= runOnce().finally(() => {
        running = undefined
      })
      return running
    },
    erase: createErasure(deps),
    async deleteMedia(wish) {
      if (deleting)
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Files are being deleted already', {
          retry_after_ms: 5_000,
        })
      deleting = true
      try {
        return await deleteMedia(deps, wish, wish.keepPictures ? await everyRoom() : [], signal)
      } finally {
        deleting = false
      }
    },
    records: (before, limit) =>
      store.read('retention.records', function* () {
        const rows = yield* purgeRecords(before, Math.min(limit, MAX_RECORDS))
        const receipts = yield* receiptsOf(rows.map((row) => row.id))
        return rows.map((row) => ({ ...row, receipts: receipts.filter(({ record }) => record === row.id) }))
      }),
    async close() {
      stopping.abort()
      await running?.catch(() => undefined)
    },
  }
}
