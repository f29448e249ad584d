import { all, many, manyChanges, one, type Param, run, type Tx } from '../tx.js'
import type { MediaRow } from './media.js'

/** (server, media id) */
export type MediaKey = readonly [string, string]

/** A medium with what administrators decided about it. */
export interface ModeratedMedium extends MediaRow {
  readonly quarantined_by: string | null
  readonly protected: number | null
}

const WITH_MODERATION = `SELECT m.*, q.quarantined_by, q.protected FROM media m
  LEFT JOIN media_moderation q ON q.origin = m.origin AND q.media_id = m.media_id`

export function* moderatedMedium(origin: string, mediaId: string): Tx<ModeratedMedium | undefined> {
  return yield* one<ModeratedMedium>(
    `${WITH_MODERATION} WHERE m.origin = ? AND m.media_id = ?`,
    origin,
    mediaId,
  )
}

const ORDERS = {
  created_ts: 'm.created_ts',
  last_access_ts: 'm.last_access_ts',
  media_id: 'm.media_id',
  media_length: 'm.size',
  media_type: 'm.content_type',
  quarantined_by: "COALESCE(q.quarantined_by, '')",
  safe_from_quarantine: 'COALESCE(q.protected, 0)',
  upload_name: "COALESCE(m.file_name, '')",
} as const
export type MediaOrder = keyof typeof ORDERS

/** One page of what a user has uploaded. */
export function* mediaOfUser(
  userId: string,
  page: {
    readonly order: MediaOrder
    readonly descending: boolean
    readonly limit: number
    readonly offset: number
  },
): Tx<readonly ModeratedMedium[]> {
  const direction = page.descending ? 'DESC' : 'ASC'
  return yield* all<ModeratedMedium>(
    `${WITH_MODERATION} WHERE m.user_id = ?
     ORDER BY ${ORDERS[page.order]} ${direction}, m.media_id ${direction} LIMIT ? OFFSET ?`,
    userId,
    page.limit,
    page.offset,
  )
}

/** The next media of a user, by id. */
export function* mediaOfUserAfter(userId: string, after: string, limit: number): Tx<readonly MediaKey[]> {
  const rows = yield* all<{ origin: string; media_id: string }>(
    'SELECT origin, media_id FROM media WHERE user_id = ? AND media_id > ? ORDER BY media_id LIMIT ?',
    userId,
    after,
    limit,
  )
  return rows.map((row) => [row.origin, row.media_id])
}

/** Who decided that a medium is given to nobody; null where it may be given. */
export function* quarantinedBy(origin: string, mediaId: string): Tx<string | null> {
  const row = yield* one<{ quarantined_by: string | null }>(
    'SELECT quarantined_by FROM media_moderation WHERE origin = ? AND media_id = ?',
    origin,
    mediaId,
  )
  return row?.quarantined_by ?? null
}

/** Media with the same bytes as some medium, itself included. */
export function* mediaWithBytesOf(origin: string, mediaId: string): Tx<readonly MediaKey[]> {
  const rows = yield* all<{ origin: string; media_id: string }>(
    `SELECT origin, media_id FROM media WHERE sha256 = (SELECT sha256 FROM media WHERE origin = ? AND media_id = ?)`,
    origin,
    mediaId,
  )
  return rows.map((row) => [row.origin, row.media_id])
}

/** Post: those that are not protected are in quarantine. Gives how many were not before. */
export function* quarantineMedia(keys: readonly MediaKey[], by: string): Tx<number> {
  return yield* manyChanges(
    `INSERT INTO media_moderation (origin, media_id, quarantined_by, protected) VALUES (?, ?, ?, 0)
     ON CONFLICT (origin, media_id) DO UPDATE SET quarantined_by = excluded.quarantined_by
       WHERE media_moderation.protected = 0 AND media_moderation.quarantined_by IS NULL`,
    keys.map(([origin, mediaId]) => [origin, mediaId, by]),
  )
}

export function* releaseMedia(keys: readonly MediaKey[]): Tx<void> {
  yield* many(
    'UPDATE media_moderation SET quarantined_by = NULL WHERE origin = ? AND media_id = ?',
    keys.map(([origin, mediaId]) => [origin, mediaId]),
  )
}

/** Post: the medium is protected from quarantine, or is not; one that is in it stays there. */
export function* protectMedium([origin, mediaId]: MediaKey, isProtected: boolean): Tx<void> {
  yield* run(
    `INSERT INTO media_moderation (origin, media_id, quarantined_by, protected) VALUES (?, ?, NULL, ?)
     ON CONFLICT (origin, media_id) DO UPDATE SET protected = excluded.protected`,
    origin,
    mediaId,
    Number(isProtected),
  )
}

/** What users have uploaded, summed up. */
export interface UserMedia {
  readonly user_id: string
  readonly media_count: number
  readonly media_length: number
}

const USER_ORDERS = { user_id: 'user_id', media_count: 'media_count', media_length: 'media_length' } as const
export type UserMediaOrder = keyof typeof USER_ORDERS
/** Part of the user id, uploaded since and until; milliseconds. */
export interface UserMediaFilter {
  readonly term?: string | undefined
  readonly from?: number | undefined
  readonly until?: number | undefined
}

function summed({ term, from, until }: UserMediaFilter): { readonly sql: string; readonly params: Param[] } {
  const params: Param[] = [from ?? 0, until ?? Number.MAX_SAFE_INTEGER]
  const like = term === undefined ? '' : ` AND LOWER(user_id) LIKE ? ESCAPE '!'`
  if (term !== undefined) params.push(`%${term.replaceAll(/[!%_]/g, (character) => `!${character}`)}%`)
  return {
    sql: `SELECT user_id, COUNT(*) AS media_count, CAST(SUM(size) AS BIGINT) AS media_length FROM media
      WHERE user_id IS NOT NULL AND created_ts >= ? AND created_ts <= ?${like} GROUP BY user_id`,
    params,
  }
}

/** One page of the sums. */
export function* mediaByUser(
  filter: UserMediaFilter,
  page: {
    readonly order: UserMediaOrder
    readonly descending: boolean
    readonly limit: number
    readonly offset: number
  },
): Tx<readonly UserMedia[]> {
  const { sql, params } = summed(filter)
  return yield* all<UserMedia>(
    `SELECT * FROM (${sql}) sums ORDER BY ${USER_ORDERS[page.order]} ${page.descending ? 'DESC' : 'ASC'}, user_id
     LIMIT ? OFFSET ?`,
    ...params,
    page.limit,
    page.offset,
  )
}

export function* countMediaUsers(filter: UserMediaFilter): Tx<number> {
  const { sql, params } = summed(filter)
  const row = yield* one<{ n: number }>(`SELECT COUNT(*) AS n FROM (${sql}) sums`, ...params)
  return row!.n
}
