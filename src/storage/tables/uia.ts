import { one, run, runChanges, type Tx } from '../tx.js'

export interface UiaSessionRow {
  readonly session_id: string
  readonly user_id: string | null
  readonly operation: string
  readonly bound_hash: string
  readonly flows: string
  readonly completed: string
  readonly attempts: number
  readonly registration_token: string | null
  readonly threepid_session: string | null
  readonly created_ts: number
  readonly expires_ts: number
}

const COLUMNS =
  'session_id, user_id, operation, bound_hash, flows, completed, attempts, registration_token, threepid_session, created_ts, expires_ts'

export function* insertUiaSession(row: UiaSessionRow): Tx<void> {
  yield* run(
    `INSERT INTO uia_sessions (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.session_id,
    row.user_id,
    row.operation,
    row.bound_hash,
    row.flows,
    row.completed,
    row.attempts,
    row.registration_token,
    row.threepid_session,
    row.created_ts,
    row.expires_ts,
  )
}

/** Undefined for sessions that are over. */
export function* uiaSessionById(sessionId: string, now: number): Tx<UiaSessionRow | undefined> {
  return yield* one<UiaSessionRow>(
    `SELECT ${COLUMNS} FROM uia_sessions WHERE session_id = ? AND expires_ts > ?`,
    sessionId,
    now,
  )
}

/** Post: the stages are recorded; false, and nothing changed, when the session moved on meanwhile or is gone. */
export function* setUiaCompleted(
  sessionId: string,
  before: string,
  completed: string,
  pass: { readonly registrationToken: string | null; readonly threepidSession: string | null },
): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE uia_sessions SET completed = ?, registration_token = COALESCE(?, registration_token),
       threepid_session = COALESCE(?, threepid_session)
     WHERE session_id = ? AND completed = ?`,
    completed,
    pass.registrationToken,
    pass.threepidSession,
    sessionId,
    before,
  )
  return changes === 1
}

/** Counts a failed attempt. Post: the number of attempts so far; undefined when the session is gone. */
export function* countUiaAttempt(sessionId: string): Tx<number | undefined> {
  const row = yield* one<{ attempts: number }>(
    'UPDATE uia_sessions SET attempts = attempts + 1 WHERE session_id = ? RETURNING attempts',
    sessionId,
  )
  return row?.attempts
}

/** Post: the session is gone; false when it was gone already, i.e. somebody else has used it. */
export function* deleteUiaSession(sessionId: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM uia_sessions WHERE session_id = ?', sessionId)) === 1
}

/** Post: sessions that are over are gone, and of the others at most `max`, the ones that end last. */
export function* pruneUiaSessions(now: number, max: number): Tx<void> {
  yield* run('DELETE FROM uia_sessions WHERE expires_ts <= ?', now)
  const over = yield* one<{ expires_ts: number }>(
    'SELECT expires_ts FROM uia_sessions ORDER BY expires_ts DESC LIMIT 1 OFFSET ?',
    max,
  )
  if (over !== undefined) yield* run('DELETE FROM uia_sessions WHERE expires_ts <= ?', over.expires_ts)
}

/** Post: the user has at most `keep` sessions, the newest. */
export function* pruneUiaSessionsOfUser(userId: string, keep: number): Tx<void> {
  yield* run(
    `DELETE FROM uia_sessions WHERE user_id = ? AND session_id NOT IN (
       SELECT session_id FROM uia_sessions WHERE user_id = ? ORDER BY created_ts DESC, session_id LIMIT ?)`,
    userId,
    userId,
    keep,
  )
}
