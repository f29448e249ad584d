import { all, one, type Param, runChanges, type Tx } from '../tx.js'

/** What a user reported to the administrators. Empty strings stand for what a report of its kind does not name. */
export interface ReportRow {
  readonly report_id: number
  /** `room`, `event` or `user`. */
  readonly kind: string
  readonly reporter: string
  readonly room_id: string
  readonly event_id: string
  readonly user_id: string
  readonly reason: string
  /** The event as the reporter saw it, JSON; it may be gone or redacted when somebody reads the report. */
  readonly event_json: string | null
  readonly created_ts: number
}

const COLUMNS = 'report_id, kind, reporter, room_id, event_id, user_id, reason, event_json, created_ts'

/** Post: the reporter has one report of the target: this one. Gives its number. */
export function* putReport(row: Omit<ReportRow, 'report_id'>): Tx<number> {
  const put = yield* one<{ report_id: number }>(
    `INSERT INTO reports (kind, reporter, room_id, event_id, user_id, reason, event_json, created_ts)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (reporter, kind, room_id, event_id, user_id) DO UPDATE SET reason = excluded.reason,
       event_json = excluded.event_json, created_ts = excluded.created_ts RETURNING report_id`,
    row.kind,
    row.reporter,
    row.room_id,
    row.event_id,
    row.user_id,
    row.reason,
    row.event_json,
    row.created_ts,
  )
  return put!.report_id
}

/** Post: the reporter has at most `keep` reports, the newest. Gives the numbers of those that are gone. */
export function* pruneReportsOf(reporter: string, keep: number): Tx<readonly number[]> {
  const rows = yield* all<{ report_id: number }>(
    `DELETE FROM reports WHERE reporter = ? AND report_id NOT IN (
       SELECT report_id FROM reports WHERE reporter = ? ORDER BY created_ts DESC, report_id DESC LIMIT ?) RETURNING report_id`,
    reporter,
    reporter,
    keep,
  )
  return rows.map((row) => row.report_id)
}

/** Newest first, below `before`. */
export function* reportsBefore(before: number, limit: number): Tx<readonly ReportRow[]> {
  return yield* all<ReportRow>(
    `SELECT ${COLUMNS} FROM reports WHERE report_id < ? ORDER BY report_id DESC LIMIT ?`,
    before,
    limit,
  )
}

/** Post: the report is gone; false when there was none. */
export function* deleteReport(reportId: number): Tx<boolean> {
  return (yield* runChanges('DELETE FROM reports WHERE report_id = ?', reportId)) === 1
}

/** Undefined: any. */
export interface ReportFilter {
  readonly kind: ReportRow['kind']
  readonly reporter?: string | undefined
  readonly roomId?: string | undefined
  /** Of an event its sender, else who was reported. */
  readonly userId?: string | undefined
}

function matching({ kind, reporter, roomId, userId }: ReportFilter): { where: string; params: Param[] } {
  const terms = [
    ['kind', kind],
    ['reporter', reporter],
    ['room_id', roomId],
    ['user_id', userId],
  ].filter(([, value]) => value !== undefined)
  return {
    where: terms.map(([column]) => `${column} = ?`).join(' AND '),
    params: terms.map(([, value]) => value!),
  }
}

/** One page of the reports of a kind, by number. */
export function* reportsPage(
  filter: ReportFilter,
  page: { readonly descending: boolean; readonly offset: number; readonly limit: number },
): Tx<readonly ReportRow[]> {
  const { where, params } = matching(filter)
  return yield* all<ReportRow>(
    `SELECT ${COLUMNS} FROM reports WHERE ${where} ORDER BY report_id ${page.descending ? 'DESC' : 'ASC'} LIMIT ? OFFSET ?`,
    ...params,
    page.limit,
    page.offset,
  )
}

export function* countReports(filter: ReportFilter): Tx<number> {
  const { where, params } = matching(filter)
  return (yield* one<{ n: number }>(`SELECT COUNT(*) AS n FROM reports WHERE ${where}`, ...params))!.n
}

export function* reportOfKind(kind: ReportRow['kind'], reportId: number): Tx<ReportRow | undefined> {
  return yield* one<ReportRow>(
    `SELECT ${COLUMNS} FROM reports WHERE report_id = ? AND kind = ?`,
    reportId,
    kind,
  )
}
