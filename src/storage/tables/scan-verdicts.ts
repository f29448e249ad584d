import { one, run, runChanges, type Tx } from '../tx.js'

/** What the content scanner said of the bytes of a medium, with the signatures of then. */
export interface ScanVerdictRow {
  readonly sha256: string
  readonly version: string
  readonly kind: 'clean' | 'infected'
  /** The signature that was found; empty for what is clean. */
  readonly detail: string
  readonly content_type: string
  readonly scanned_ts: number
}

export function* scanVerdict(sha256: string): Tx<ScanVerdictRow | undefined> {
  return yield* one<ScanVerdictRow>(
    'SELECT sha256, version, kind, detail, content_type, scanned_ts FROM scan_verdicts WHERE sha256 = ?',
    sha256,
  )
}

/** Post: the latest verdict stands; one for each content. */
export function* upsertScanVerdict(row: ScanVerdictRow): Tx<void> {
  yield* run(
    `INSERT INTO scan_verdicts (sha256, version, kind, detail, content_type, scanned_ts) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (sha256) DO UPDATE SET version = excluded.version, kind = excluded.kind, detail = excluded.detail,
       content_type = excluded.content_type, scanned_ts = excluded.scanned_ts`,
    row.sha256,
    row.version,
    row.kind,
    row.detail,
    row.content_type,
    row.scanned_ts,
  )
}

/** Forgets at most `limit` verdicts from before a time. Gives how many. */
export function* deleteOldVerdicts(before: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM scan_verdicts WHERE sha256 IN (
       SELECT sha256 FROM scan_verdicts WHERE scanned_ts < ? ORDER BY scanned_ts LIMIT ?)`,
    before,
    limit,
  )
}
