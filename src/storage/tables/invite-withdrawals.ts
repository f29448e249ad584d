import { all, many, one, run, runChanges, type Tx } from '../tx.js'

/** An invitation of an address that was taken back, and of which its keeper does not know yet. */
export interface InviteWithdrawalRow {
  readonly token: string
  /** The server that keeps it. */
  readonly keeper: string
  readonly sender: string
  readonly attempts: number
  readonly due_ts: number
  readonly expires_ts: number
}

const COLUMNS = 'token, keeper, sender, attempts, due_ts, expires_ts'

/** Post: each waits to be told, those that waited before as they did. */
export function* insertInviteWithdrawals(rows: readonly Omit<InviteWithdrawalRow, 'attempts'>[]): Tx<void> {
  yield* many(
    `INSERT INTO invite_withdrawals (${COLUMNS}) VALUES (?, ?, ?, 0, ?, ?) ON CONFLICT (token, keeper) DO NOTHING`,
    rows.map((row) => [row.token, row.keeper, row.sender, row.due_ts, row.expires_ts]),
  )
}

export function* countInviteWithdrawals(): Tx<number> {
  return (yield* one<{ n: number }>('SELECT COUNT(*) AS n FROM invite_withdrawals'))!.n
}

export function* inviteWithdrawalsOf(token: string): Tx<readonly InviteWithdrawalRow[]> {
  return yield* all<InviteWithdrawalRow>(`SELECT ${COLUMNS} FROM invite_withdrawals WHERE token = ?`, token)
}

export function* dueInviteWithdrawals(now: number, limit: number): Tx<readonly InviteWithdrawalRow[]> {
  return yield* all<InviteWithdrawalRow>(
    `SELECT ${COLUMNS} FROM invite_withdrawals WHERE due_ts <= ? ORDER BY due_ts, token LIMIT ?`,
    now,
    limit,
  )
}

export function* postponeInviteWithdrawal(
  { token, keeper }: Pick<InviteWithdrawalRow, 'token' | 'keeper'>,
  attempts: number,
  due: number,
): Tx<void> {
  yield* run(
    'UPDATE invite_withdrawals SET attempts = ?, due_ts = ? WHERE token = ? AND keeper = ?',
    attempts,
    due,
    token,
    keeper,
  )
}

export function* deleteInviteWithdrawal(row: Pick<InviteWithdrawalRow, 'token' | 'keeper'>): Tx<void> {
  yield* run('DELETE FROM invite_withdrawals WHERE token = ? AND keeper = ?', row.token, row.keeper)
}

/** Post: at most `limit` of what is over is gone; how many that were. */
export function* deleteExpiredInviteWithdrawals(now: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM invite_withdrawals WHERE (token, keeper) IN
       (SELECT token, keeper FROM invite_withdrawals WHERE expires_ts <= ? ORDER BY expires_ts LIMIT ?)`,
    now,
    limit,
  )
}
