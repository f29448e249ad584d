import { one, run, runChanges, type Tx } from '../tx.js'

/** One attempt to prove that an e-mail address is the asker's. */
export interface ThreepidSessionRow {
  readonly session_id: string
  /** `register`, `add` or `reset`: a proof serves what it was asked for. */
  readonly purpose: string
  readonly address: string
  /** SHA-256 of the client's secret, as of other tokens. */
  readonly secret_hash: string
  /** SHA-256 of the token that was sent; NULL where none was, as the address cannot serve this purpose. */
  readonly token_hash: string | null
  /** The client's number of its last request. */
  readonly send_attempt: number
  readonly sends: number
  readonly next_link: string | null
  readonly validated_ts: number | null
  readonly created_ts: number
  readonly expires_ts: number
}

const COLUMNS =
  'session_id, purpose, address, secret_hash, token_hash, send_attempt, sends, next_link, validated_ts, created_ts, expires_ts'

export function* insertThreepidSession(row: ThreepidSessionRow): Tx<void> {
  yield* run(
    `INSERT INTO threepid_sessions (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    row.session_id,
    row.purpose,
    row.address,
    row.secret_hash,
    row.token_hash,
    row.send_attempt,
    row.sends,
    row.next_link,
    row.validated_ts,
    row.created_ts,
    row.expires_ts,
  )
}

/** Undefined for sessions that are over. */
export function* threepidSession(sessionId: string, now: number): Tx<ThreepidSessionRow | undefined> {
  return yield* one<ThreepidSessionRow>(
    `SELECT ${COLUMNS} FROM threepid_sessions WHERE session_id = ? AND expires_ts > ?`,
    sessionId,
    now,
  )
}

/** The session that a client would go on with. */
export function* threepidSessionFor(
  purpose: string,
  address: string,
  secretHash: string,
  now: number,
): Tx<ThreepidSessionRow | undefined> {
  return yield* one<ThreepidSessionRow>(
    `SELECT ${COLUMNS} FROM threepid_sessions
     WHERE purpose = ? AND address = ? AND secret_hash = ? AND expires_ts > ?`,
    purpose,
    address,
    secretHash,
    now,
  )
}

/** Another mail of the session: its token replaces the one before. */
export function* renewThreepidSession(
  row: Pick<
    ThreepidSessionRow,
    'session_id' | 'token_hash' | 'send_attempt' | 'sends' | 'next_link' | 'expires_ts'
  >,
): Tx<void> {
  yield* run(
    `UPDATE threepid_sessions SET token_hash = ?, send_attempt = ?, sends = ?, next_link = ?, expires_ts = ?
     WHERE session_id = ?`,
    row.token_hash,
    row.send_attempt,
    row.sends,
    row.next_link,
    row.expires_ts,
    row.session_id,
  )
}

/** Post: the session is validated until `expires`, and its link opens no more; false when it was validated before. */
export function* setThreepidValidated(sessionId: string, now: number, expires: number): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE threepid_sessions SET validated_ts = ?, expires_ts = ?, token_hash = NULL WHERE session_id = ? AND validated_ts IS NULL`,
    now,
    expires,
    sessionId,
  )
  return changes === 1
}

/** Post: the session is gone; false when somebody else has used it. */
export function* deleteThreepidSession(sessionId: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM threepid_sessions WHERE session_id = ?', sessionId)) === 1
}

/** Post: sessions that are over are gone, and of the others at most `max`, the ones that end last. */
export function* pruneThreepidSessions(now: number, max: number): Tx<void> {
  yield* run('DELETE FROM threepid_sessions WHERE expires_ts <= ?', now)
  const over = yield* one<{ expires_ts: number }>(
    'SELECT expires_ts FROM threepid_sessions ORDER BY expires_ts DESC LIMIT 1 OFFSET ?',
    max,
  )
  if (over !== undefined) yield* run('DELETE FROM threepid_sessions WHERE expires_ts <= ?', over.expires_ts)
}
