import { all, one, run, runChanges, type Tx } from '../tx.js'

export interface RegistrationTokenRow {
  readonly token: string
  readonly uses_allowed: number | null
  readonly completed: number
  readonly expires_ts: number | null
  readonly created_ts: number
  /** Uses reserved by interactive sessions that go on. */
  readonly pending: number
}

const SELECT = `SELECT token, uses_allowed, completed, expires_ts, created_ts,
  (SELECT COUNT(*) FROM uia_sessions s WHERE s.registration_token = r.token AND s.expires_ts > ?) AS pending
  FROM registration_tokens r`

/** Post: false when the token exists already. */
export function* insertRegistrationToken(row: {
  readonly token: string
  readonly usesAllowed: number | null
  readonly expiresTs: number | null
  readonly createdTs: number
}): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO registration_tokens (token, uses_allowed, completed, expires_ts, created_ts)
     VALUES (?, ?, 0, ?, ?) ON CONFLICT DO NOTHING`,
    row.token,
    row.usesAllowed,
    row.expiresTs,
    row.createdTs,
  )
  return changes === 1
}

export function* registrationToken(token: string, now: number): Tx<RegistrationTokenRow | undefined> {
  return yield* one<RegistrationTokenRow>(`${SELECT} WHERE token = ?`, now, token)
}

export function* registrationTokens(now: number, limit: number): Tx<readonly RegistrationTokenRow[]> {
  return yield* all<RegistrationTokenRow>(`${SELECT} ORDER BY token LIMIT ?`, now, limit)
}

/** Counts a completed registration. Post: false, and nothing changed, when the token is used up, over or gone. */
export function* useRegistrationToken(token: string, now: number): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE registration_tokens SET completed = completed + 1
     WHERE token = ? AND (uses_allowed IS NULL OR completed < uses_allowed) AND (expires_ts IS NULL OR expires_ts > ?)`,
    token,
    now,
  )
  return changes === 1
}

/** Null: without this bound. */
export function* setRegistrationTokenBounds(
  token: string,
  usesAllowed: number | null,
  expiresTs: number | null,
): Tx<void> {
  yield* run(
    'UPDATE registration_tokens SET uses_allowed = ?, expires_ts = ? WHERE token = ?',
    usesAllowed,
    expiresTs,
    token,
  )
}

export function* deleteRegistrationToken(token: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM registration_tokens WHERE token = ?', token)) === 1
}
