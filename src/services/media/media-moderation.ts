import { notFound } from '../../core/errors.js'
import { createPace } from '../../platform/pace.js'
import * as rows from '../../storage/tables/media-moderation.js'
import { mediaUsageOfUser } from '../../storage/tables/media.js'
import type { Store } from '../../storage/tx.js'
import type { MediaUpkeep } from './media-upkeep.js'
import { checkMxc } from './mxc.js'

export type { MediaKey, MediaOrder, UserMediaOrder } from '../../storage/tables/media-moderation.js'

interface MediaPage<O> {
  readonly order: O
  readonly descending: boolean
  readonly limit: number
  readonly offset: number
}

/** What administrators do with media. What is in quarantine is given to nobody, as if it were not there; its bytes stay. Throws M_INVALID_PARAM. */
export interface MediaModeration {
  /** Throws M_NOT_FOUND. */
  info(origin: string, mediaId: string): Promise<rows.ModeratedMedium>
  /** With all that have the same bytes, but for those that are protected. Gives how many were put there. */
  quarantine(keys: readonly rows.MediaKey[], by: string): Promise<number>
  quarantineOfUser(userId: string, by: string): Promise<number>
  release(origin: string, mediaId: string): Promise<void>
  /** Throws M_NOT_FOUND. */
  protect(mediaId: string, isProtected: boolean): Promise<void>
  ofUser(
    userId: string,
    page: MediaPage<rows.MediaOrder>,
  ): Promise<{ readonly media: readonly rows.ModeratedMedium[]; readonly total: number }>
  /** Deletes them with their bytes; gives the ids of those that there were. */
  removeAll(keys: readonly rows.MediaKey[]): Promise<readonly string[]>
  byUser(
    filter: rows.UserMediaFilter,
    page: MediaPage<rows.UserMediaOrder>,
  ): Promise<{ readonly users: readonly rows.UserMedia[]; readonly total: number }>
}

const BATCH = 100

export function createMediaModeration(deps: {
  readonly store: Store
  readonly serverName: string
  readonly remove: MediaUpkeep['remove']
}): MediaModeration {
  const { store, serverName } = deps

  async function quarantine(keys: readonly rows.MediaKey[], by: string): Promise<number> {
    for (const [origin, mediaId] of keys) checkMxc(origin, mediaId)
    let count = 0
    const pace = createPace()
    for (const [origin, mediaId] of keys) {
      await pace()
      count += await store.write('media.quarantine', function* () {
        const same = yield* rows.mediaWithBytesOf(origin, mediaId)
        // One that is not here is kept out too: nobody has it fetched.
        return yield* rows.quarantineMedia(same.length === 0 ? [[origin, mediaId]] : same, by)
      })
    }
    return count
  }

  return {
    async info(origin, mediaId) {
      checkMxc(origin, mediaId)
      const row = await store.read('media.info', () => rows.moderatedMedium(origin, mediaId))
      if (row === undefined) throw notFound('There is no such medium here')
      return row
    },

    quarantine,

    async quarantineOfUser(userId, by) {
      let count = 0
      for (let after = ''; ;) {
        const from = after
        const keys = await store.read('media.ofUser', () => rows.mediaOfUserAfter(userId, from, BATCH))
        count += await quarantine(keys, by)
        if (keys.length < BATCH) return count
        after = keys.at(-1)![1]
      }
    },

    async release(origin, mediaId) {
      checkMxc(origin, mediaId)
      await store.write('media.release', function* () {
        const same = yield* rows.mediaWithBytesOf(origin, mediaId)
        yield* rows.releaseMedia([[origin, mediaId], ...same])
      })
    },

    async protect(mediaId, isProtected) {
      checkMxc(serverName, mediaId)
      await store.write('media.protect', function* () {
        if ((yield* rows.moderatedMedium(serverName, mediaId)) === undefined)
          throw notFound('There is no such medium')
        yield* rows.protectMedium([serverName, mediaId], isProtected)
      })
    },

    ofUser: (userId, page) =>
      store.read('media.listOfUser', function* () {
        return {
          media: yield* rows.mediaOfUser(userId, page),
          total: (yield* mediaUsageOfUser(userId)).files,
        }
      }),

    async removeAll(keys) {
      const gone: string[] = []
      for (const [origin, mediaId] of keys) {
        checkMxc(origin, mediaId)
        if (await deps.remove(origin, mediaId)) gone.push(mediaId)
      }
      return gone
    },

    byUser: (filter, page) =>
      store.read('media.byUser', function* () {
        return {
          users: yield* rows.mediaByUser(filter, page),
          total: yield* rows.countMediaUsers(filter),
        }
      }),
  }
}
