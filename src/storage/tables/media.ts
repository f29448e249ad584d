import { all, manyChanges, one, run, runChanges, type Tx } from '../tx.js'

export interface MediaRow {
  readonly origin: string
  readonly media_id: string
  /** The uploader; null for media of other servers. */
  readonly user_id: string | null
  /** Null while the upload is announced only. */
  readonly sha256: string | null
  readonly size: number
  readonly content_type: string
  readonly file_name: string | null
  readonly created_ts: number
  readonly expires_ts: number | null
  readonly last_access_ts: number
}

export interface ThumbnailRow {
  readonly source_sha256: string
  readonly width: number
  readonly height: number
  readonly method: string
  readonly animated: number
  readonly sha256: string
  readonly size: number
  readonly content_type: string
}

const MEDIA_COLUMNS =
  'origin, media_id, user_id, sha256, size, content_type, file_name, created_ts, expires_ts, last_access_ts'
const THUMBNAIL_COLUMNS = 'source_sha256, width, height, method, animated, sha256, size, content_type'

/** Post: true when the row is new, false when the (origin, media id) was taken and nothing changed. */
export function* insertMedia(row: MediaRow): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO media (${MEDIA_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    row.origin,
    row.media_id,
    row.user_id,
    row.sha256,
    row.size,
    row.content_type,
    row.file_name,
    row.created_ts,
    row.expires_ts,
    row.last_access_ts,
  )
  return changes === 1
}

export function* mediaById(origin: string, mediaId: string): Tx<MediaRow | undefined> {
  return yield* one<MediaRow>(
    `SELECT ${MEDIA_COLUMNS} FROM media WHERE origin = ? AND media_id = ?`,
    origin,
    mediaId,
  )
}

/**
 * Fills an announced upload. `created_ts` becomes the time of arrival, which is what a freeze of unauthenticated
 * media goes by.
 * Post: false, and nothing changed, unless the row is still announced, unexpired and this user's.
 */
export function* fillAnnouncedMedia(fill: {
  readonly origin: string
  readonly mediaId: string
  readonly userId: string
  readonly sha256: string
  readonly size: number
  readonly contentType: string
  readonly fileName: string | null
  readonly now: number
}): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE media SET sha256 = ?, size = ?, content_type = ?, file_name = ?, created_ts = ?, expires_ts = NULL,
       last_access_ts = ?
     WHERE origin = ? AND media_id = ? AND user_id = ? AND sha256 IS NULL AND expires_ts > ?`,
    fill.sha256,
    fill.size,
    fill.contentType,
    fill.fileName,
    fill.now,
    fill.now,
    fill.origin,
    fill.mediaId,
    fill.userId,
    fill.now,
  )
  return changes === 1
}

export interface MediaUsage {
  readonly files: number
  readonly bytes: number
}

/** What one user has stored here. */
export function* mediaUsageOfUser(userId: string): Tx<MediaUsage> {
  const row = yield* one<MediaUsage>(
    'SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM media WHERE user_id = ?',
    userId,
  )
  return row ?? { files: 0, bytes: 0 }
}

/** Announced and unexpired uploads of one user. */
export function* announcedMediaOfUser(userId: string, now: number): Tx<number> {
  const row = yield* one<{ count: number }>(
    'SELECT COUNT(*) AS count FROM media WHERE expires_ts > ? AND user_id = ?',
    now,
    userId,
  )
  return row?.count ?? 0
}

/** Forgets announced uploads that did not arrive in time; at most `limit` of them. Gives how many. */
export function* deleteExpiredAnnouncements(now: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM media WHERE (origin, media_id) IN (
       SELECT origin, media_id FROM media WHERE expires_ts <= ? ORDER BY expires_ts LIMIT ?)`,
    now,
    limit,
  )
}

export function* touchMedia(origin: string, mediaId: string, now: number): Tx<void> {
  yield* run('UPDATE media SET last_access_ts = ? WHERE origin = ? AND media_id = ?', now, origin, mediaId)
}

/** Gives how many of the given (origin, media id) there were. */
export function* deleteMedia(keys: readonly (readonly [string, string])[]): Tx<number> {
  return yield* manyChanges('DELETE FROM media WHERE origin = ? AND media_id = ?', keys)
}

/** A place in the order in which other servers' media were last used. */
export interface RemoteUse {
  readonly last_access_ts: number
  readonly origin: string
  readonly media_id: string
}
export type RemoteMediaRow = RemoteUse & { readonly sha256: string | null; readonly size: number }

/** Other servers' media that were last used at a place or before it, the last used first. */
export function* remoteMediaUsedUntil(place: RemoteUse, limit: number): Tx<readonly RemoteMediaRow[]> {
  return yield* all<RemoteMediaRow>(
    `SELECT last_access_ts, origin, media_id, sha256, size FROM media
     WHERE user_id IS NULL AND (last_access_ts, origin, media_id) <= (?, ?, ?)
     ORDER BY last_access_ts DESC, origin DESC, media_id DESC LIMIT ?`,
    place.last_access_ts,
    place.origin,
    place.media_id,
    limit,
  )
}

/** Those of the given blobs that a medium or a thumbnail points at. */
export function* blobsInUse(hashes: readonly string[]): Tx<ReadonlySet<string>> {
  if (hashes.length === 0) return new Set()
  const rows = yield* all<{ sha256: string }>(
    `SELECT sha256 FROM media WHERE sha256 IN (??)
     UNION SELECT sha256 FROM media_thumbnails WHERE sha256 IN (??)`,
    hashes,
    hashes,
  )
  return new Set(rows.map((row) => row.sha256))
}

/** Post: the thumbnail is recorded, unless one for the same box already is. */
export function* insertThumbnail(row: ThumbnailRow): Tx<void> {
  yield* run(
    `INSERT INTO media_thumbnails (${THUMBNAIL_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    row.source_sha256,
    row.width,
    row.height,
    row.method,
    row.animated,
    row.sha256,
    row.size,
    row.content_type,
  )
}

export function* thumbnailFor(
  sourceSha256: string,
  box: {
    readonly width: number
    readonly height: number
    readonly method: string
    readonly animated: boolean
  },
): Tx<ThumbnailRow | undefined> {
  return yield* one<ThumbnailRow>(
    `SELECT ${THUMBNAIL_COLUMNS} FROM media_thumbnails
     WHERE source_sha256 = ? AND width = ? AND height = ? AND method = ? AND animated = ?`,
    sourceSha256,
    box.width,
    box.height,
    box.method,
    box.animated ? 1 : 0,
  )
}

export function* thumbnailCount(sourceSha256: string): Tx<number> {
  const row = yield* one<{ count: number }>(
    'SELECT COUNT(*) AS count FROM media_thumbnails WHERE source_sha256 = ?',
    sourceSha256,
  )
  return row?.count ?? 0
}

/** Forgets one thumbnail whose file is gone, so that it is made again. */
export function* deleteThumbnailsOfBlob(sha256: string): Tx<void> {
  yield* run('DELETE FROM media_thumbnails WHERE sha256 = ?', sha256)
}

/** Blobs of which there are thumbnails, in order, after `after`. */
export function* thumbnailSourcesAfter(after: string, limit: number): Tx<readonly string[]> {
  const rows = yield* all<{ source_sha256: string }>(
    'SELECT DISTINCT source_sha256 FROM media_thumbnails WHERE source_sha256 > ? ORDER BY source_sha256 LIMIT ?',
    after,
    limit,
  )
  return rows.map((row) => row.source_sha256)
}

/** Forgets the thumbnails of those of the given blobs that no medium points at. Gives the thumbnails' own blobs. */
export function* deleteOrphanThumbnails(sources: readonly string[]): Tx<readonly string[]> {
  if (sources.length === 0) return []
  const rows = yield* all<{ sha256: string }>(
    `DELETE FROM media_thumbnails
     WHERE source_sha256 IN (??) AND NOT EXISTS (SELECT 1 FROM media m WHERE m.sha256 = source_sha256)
     RETURNING sha256`,
    sources,
  )
  return rows.map((row) => row.sha256)
}
