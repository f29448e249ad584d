import { all, many, one, run, type Tx } from '../tx.js'

export interface UrlPreviewRow {
  readonly url_hash: string
  /** Milliseconds since the epoch. */
  readonly fetched_ts: number
  readonly expires_ts: number
  readonly preview: string
  readonly media_id: string | null
}

/** The latest preview of an address that was fetched until then. */
export function* urlPreviewAt(urlHash: string, ts: number): Tx<UrlPreviewRow | undefined> {
  return yield* one<UrlPreviewRow>(
    'SELECT * FROM url_previews WHERE url_hash = ? AND fetched_ts <= ? ORDER BY fetched_ts DESC LIMIT 1',
    urlHash,
    ts,
  )
}

export function* insertUrlPreview(row: UrlPreviewRow): Tx<void> {
  yield* run(
    `INSERT INTO url_previews (url_hash, fetched_ts, expires_ts, preview, media_id) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (url_hash, fetched_ts) DO UPDATE SET preview = excluded.preview, media_id = excluded.media_id`,
    row.url_hash,
    row.fetched_ts,
    row.expires_ts,
    row.preview,
    row.media_id,
  )
}

/** Previews fetched before a time, the oldest first. */
export function* oldUrlPreviews(before: number, limit: number): Tx<readonly UrlPreviewRow[]> {
  return yield* all(
    'SELECT * FROM url_previews WHERE fetched_ts < ? ORDER BY fetched_ts LIMIT ?',
    before,
    limit,
  )
}

export function* deleteUrlPreviews(rows: readonly UrlPreviewRow[]): Tx<void> {
  yield* many(
    'DELETE FROM url_previews WHERE url_hash = ? AND fetched_ts = ?',
    rows.map((row) => [row.url_hash, row.fetched_ts]),
  )
}
