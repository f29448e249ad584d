import { all, one, run, runChanges, type Param, type Tx } from '../tx.js'

export type AdminTaskStatus = 'active' | 'complete' | 'failed'

export interface AdminTaskRow {
  readonly id: string
  readonly action: string
  readonly resource: string
  readonly asked_by: string
  readonly status: AdminTaskStatus
  /** JSON, as are `plan` and `result`. */
  readonly params: string
  readonly plan: string | null
  readonly result: string
  readonly error: string | null
  readonly created_ts: number
  readonly changed_ts: number
}

const COLUMNS = 'id, action, resource, asked_by, status, params, plan, result, error, created_ts, changed_ts'

export function* insertAdminTask(row: AdminTaskRow): Tx<void> {
  yield* run(
    `INSERT INTO admin_tasks (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.id,
    row.action,
    row.resource,
    row.asked_by,
    row.status,
    row.params,
    row.plan,
    row.result,
    row.error,
    row.created_ts,
    row.changed_ts,
  )
}

export function* adminTaskById(id: string): Tx<AdminTaskRow | undefined> {
  return yield* one<AdminTaskRow>(`SELECT ${COLUMNS} FROM admin_tasks WHERE id = ?`, id)
}

/** Those that have not ended, the oldest first. */
export function* activeAdminTasks(limit: number): Tx<readonly AdminTaskRow[]> {
  return yield* all<AdminTaskRow>(
    `SELECT ${COLUMNS} FROM admin_tasks WHERE status = 'active' ORDER BY changed_ts LIMIT ?`,
    limit,
  )
}

export interface AdminTaskFilter {
  readonly action?: string | undefined
  readonly resource?: string | undefined
  readonly status?: string | undefined
  /** Changed before this moment. */
  readonly before?: number | undefined
}

/** The latest change first. */
export function* adminTasks(filter: AdminTaskFilter, limit: number): Tx<readonly AdminTaskRow[]> {
  const conditions: string[] = ['changed_ts < ?']
  const params: Param[] = [filter.before ?? Number.MAX_SAFE_INTEGER]
  for (const name of ['action', 'resource', 'status'] as const) {
    const value = filter[name]
    if (value === undefined) continue
    conditions.push(`${name} = ?`)
    params.push(value)
  }
  return yield* all<AdminTaskRow>(
    `SELECT ${COLUMNS} FROM admin_tasks WHERE ${conditions.join(' AND ')} ORDER BY changed_ts DESC, id LIMIT ?`,
    ...params,
    limit,
  )
}

export function* putAdminTaskPlan(id: string, plan: string): Tx<void> {
  yield* run('UPDATE admin_tasks SET plan = ? WHERE id = ?', plan, id)
}

export function* putAdminTaskResult(id: string, result: string, now: number): Tx<void> {
  yield* run('UPDATE admin_tasks SET result = ?, changed_ts = ? WHERE id = ?', result, now, id)
}

export function* endAdminTask(
  id: string,
  end: { readonly status: AdminTaskStatus; readonly result: string; readonly error: string | null },
  now: number,
): Tx<void> {
  yield* run(
    'UPDATE admin_tasks SET status = ?, result = ?, error = ?, plan = NULL, changed_ts = ? WHERE id = ?',
    end.status,
    end.result,
    end.error,
    now,
    id,
  )
}

/** Those that ended before a moment. Gives how many there were. */
export function* deleteEndedAdminTasks(before: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM admin_tasks WHERE status IN ('complete', 'failed') AND changed_ts < ?`,
    before,
  )
}
