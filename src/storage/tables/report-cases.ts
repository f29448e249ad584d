import { all, one, type Param, run, runChanges, type Tx } from '../tx.js'
import type { ReportRow } from './reports.js'

export type CaseState = 'open' | 'assigned' | 'closed'

export interface CaseRow {
  readonly report_id: number
  readonly state: CaseState
  readonly assignee: string | null
  /** Milliseconds since 1970. */
  readonly due_ts: number
  readonly told: number
  readonly resolution: string | null
  readonly comment: string | null
  readonly closed_by: string | null
  readonly closed_ts: number | null
}

/** A case with what was reported. */
export type ReportedCase = CaseRow & ReportRow

const JOINED = `SELECT c.*, r.kind, r.reporter, r.room_id, r.event_id, r.user_id, r.reason, r.event_json, r.created_ts
  FROM report_cases c JOIN reports r ON r.report_id = c.report_id`

/** Post: the report has a case; one that was closed is open again, since somebody has reported it anew. */
export function* openCase(reportId: number, dueTs: number): Tx<void> {
  yield* run(
    `INSERT INTO report_cases (report_id, state, assignee, due_ts, told, resolution, comment, closed_by, closed_ts)
     VALUES (?, 'open', NULL, ?, 0, NULL, NULL, NULL, NULL)
     ON CONFLICT (report_id) DO UPDATE SET state = 'open', assignee = NULL, due_ts = excluded.due_ts, told = 0,
       resolution = NULL, comment = NULL, closed_by = NULL, closed_ts = NULL
     WHERE report_cases.state = 'closed'`,
    reportId,
    dueTs,
  )
}

export function* deleteCases(reportIds: readonly number[]): Tx<void> {
  if (reportIds.length > 0) yield* run('DELETE FROM report_cases WHERE report_id IN (??)', reportIds)
}

export function* caseById(reportId: number): Tx<ReportedCase | undefined> {
  return yield* one<ReportedCase>(`${JOINED} WHERE c.report_id = ?`, reportId)
}

export interface CaseFilter {
  /** Undefined: open and assigned ones. */
  readonly state?: CaseState | undefined
  readonly assignee?: string | undefined
  /** Only those that were due by then and are not closed. */
  readonly overdueAt?: number | undefined
}

function filtered({ state, assignee, overdueAt }: CaseFilter): {
  readonly where: string
  readonly params: Param[]
} {
  const terms = [state === undefined ? `c.state IN ('open', 'assigned')` : 'c.state = ?']
  const params: Param[] = state === undefined ? [] : [state]
  if (assignee !== undefined) {
    terms.push('c.assignee = ?')
    params.push(assignee)
  }
  if (overdueAt !== undefined) {
    terms.push(`c.due_ts <= ? AND c.state <> 'closed'`)
    params.push(overdueAt)
  }
  return { where: terms.join(' AND '), params }
}

/** What is due first comes first. */
export function* casesPage(
  filter: CaseFilter,
  page: { readonly offset: number; readonly limit: number },
): Tx<readonly ReportedCase[]> {
  const { where, params } = filtered(filter)
  return yield* all<ReportedCase>(
    `${JOINED} WHERE ${where} ORDER BY c.due_ts, c.report_id LIMIT ? OFFSET ?`,
    ...params,
    page.limit,
    page.offset,
  )
}

export function* countCases(filter: CaseFilter): Tx<number> {
  const { where, params } = filtered(filter)
  return (yield* one<{ n: number }>(`SELECT COUNT(*) AS n FROM report_cases c WHERE ${where}`, ...params))!.n
}

/** Post: the case is this person's, or nobody's. False where it is closed. */
export function* assignCase(reportId: number, assignee: string | null): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE report_cases SET state = ?, assignee = ? WHERE report_id = ? AND state <> 'closed'`,
    assignee === null ? 'open' : 'assigned',
    assignee,
    reportId,
  )
  return changes === 1
}

/** Post: the case is closed. False where it was already. */
export function* closeCase(
  reportId: number,
  end: {
    readonly resolution: string
    readonly comment: string | null
    readonly by: string | null
    readonly ts: number
  },
): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE report_cases SET state = 'closed', resolution = ?, comment = ?, closed_by = ?, closed_ts = ?
     WHERE report_id = ? AND state <> 'closed'`,
    end.resolution,
    end.comment,
    end.by,
    end.ts,
    reportId,
  )
  return changes === 1
}

/** Cases that are overdue, and of which nobody was told. */
export function* untoldOverdue(now: number, limit: number): Tx<readonly number[]> {
  const rows = yield* all<{ report_id: number }>(
    `SELECT report_id FROM report_cases WHERE state IN ('open', 'assigned') AND due_ts <= ? AND told = 0
     ORDER BY due_ts LIMIT ?`,
    now,
    limit,
  )
  return rows.map((row) => row.report_id)
}

export function* markTold(reportIds: readonly number[]): Tx<void> {
  if (reportIds.length > 0) yield* run('UPDATE report_cases SET told = 1 WHERE report_id IN (??)', reportIds)
}
