import { many, one, run, type Tx } from '../tx.js'

export interface ClientTransaction {
  readonly userId: string
  /** The device; for an application service acting without one, its id. */
  readonly deviceId: string
  /** What was asked for, without the transaction id: `send/<room>/<type>`. */
  readonly path: string
  readonly txnId: string
  readonly ts: number
  /** JSON, as it was or will be answered. */
  readonly response: string
}

/** Pre: none of them is stored. A duplicate violates the key, and the whole transaction fails: nothing is sent twice. */
export function* saveClientTransactions(rows: readonly ClientTransaction[]): Tx<void> {
  yield* many(
    'INSERT INTO client_transactions (user_id, device_id, path, txn_id, ts, response) VALUES (?, ?, ?, ?, ?, ?)',
    rows.map((row) => [row.userId, row.deviceId, row.path, row.txnId, row.ts, row.response]),
  )
}

export function* clientTransaction(
  key: Pick<ClientTransaction, 'userId' | 'deviceId' | 'path' | 'txnId'>,
): Tx<string | undefined> {
  const row = yield* one<{ response: string }>(
    'SELECT response FROM client_transactions WHERE user_id = ? AND device_id = ? AND path = ? AND txn_id = ?',
    key.userId,
    key.deviceId,
    key.path,
    key.txnId,
  )
  return row?.response
}

export function* deleteClientTransactionsBefore(ts: number): Tx<number> {
  return yield* run('DELETE FROM client_transactions WHERE ts < ?', ts)
}

/** With deleted devices go their transactions. */
export function* deleteClientTransactionsOf(userId: string, deviceIds: readonly string[]): Tx<void> {
  yield* run('DELETE FROM client_transactions WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}
