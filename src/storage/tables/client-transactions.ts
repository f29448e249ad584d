import { hash } from 'node:crypto'
import { all, many, one, run, runChanges, type Tx } from '../tx.js'

/** What makes a client's request a repetition of another. */
export interface ClientTransaction {
  readonly userId: string
  /** The device; for an application service acting without one, its id. */
  readonly deviceId: string
  /** What was asked for, without the transaction id: `send/<room>/<type>`. */
  readonly path: string
  readonly txnId: string
}

export interface TransactionRow {
  readonly key: string
  readonly ts: number
  /** Null where the answer is `{}`. */
  readonly eventNid: number | null
}

/** Characters of the key, six bits each. */
const DEVICE_CHARS = 8
const REQUEST_CHARS = 16
/** Stands after each character of a key. */
const AFTER_ALL = '~'
const PAGE = 2_000

const short = (text: string, chars: number): string => hash('sha256', text, 'base64url').slice(0, chars)

const deviceKey = (userId: string, deviceId: string): string =>
  short(JSON.stringify([userId, deviceId]), DEVICE_CHARS)

/**
 * The name of a transaction: 48 bits of a hash of its device, 96 of a hash of what was asked for, as URL-safe base64. A device can meet a
 * request of its own alone. Two devices with one beginning share nothing but that both are forgotten when one is deleted.
 */
export const transactionKey = (of: ClientTransaction): string =>
  deviceKey(of.userId, of.deviceId) + short(JSON.stringify([of.path, of.txnId]), REQUEST_CHARS)

/** Pre: none of them is stored. A duplicate violates the key, and the whole transaction fails: nothing is sent twice. */
export function* saveTransactions(rows: readonly TransactionRow[]): Tx<void> {
  yield* many(
    'INSERT INTO transaction_keys (key, ts, event_nid) VALUES (?, ?, ?)',
    rows.map((row) => [row.key, row.ts, row.eventNid]),
  )
}

/** The id of the event that was sent in a transaction. */
export function* sentIn(key: string): Tx<string | undefined> {
  const row = yield* one<{ event_id: string }>(
    'SELECT e.event_id FROM transaction_keys t JOIN events e ON e.nid = t.event_nid WHERE t.key = ?',
    key,
  )
  return row?.event_id
}

/** The same for a transaction of a program before the migration `transaction-keys`. */
export function* sentInEarlier(of: ClientTransaction): Tx<string | undefined> {
  const response = yield* earlierResponse(of)
  return response === undefined ? undefined : (JSON.parse(response) as { event_id: string }).event_id
}

function* earlierResponse(of: ClientTransaction): Tx<string | undefined> {
  const row = yield* one<{ response: string }>(
    'SELECT response FROM client_transactions WHERE user_id = ? AND device_id = ? AND path = ? AND txn_id = ?',
    of.userId,
    of.deviceId,
    of.path,
    of.txnId,
  )
  return row?.response
}

/** Post: true when this device had not used the transaction id on this path before. Its answer is `{}`. */
export function* recordTransaction(of: ClientTransaction, ts: number): Tx<boolean> {
  if ((yield* earlierResponse(of)) !== undefined) return false
  const changes = yield* runChanges(
    'INSERT INTO transaction_keys (key, ts, event_nid) VALUES (?, ?, NULL) ON CONFLICT DO NOTHING',
    transactionKey(of),
    ts,
  )
  return changes > 0
}

/** The last of the next transactions after a key, null after the end, and how many of them are from before a time. */
export function* transactionPage(
  after: string,
  before: number,
): Tx<{ readonly last: string | null; readonly old: number }> {
  const row = yield* one<{ last: string | null; old: number | null }>(
    `SELECT MAX(key) AS last, SUM(CASE WHEN ts < ? THEN 1 ELSE 0 END) AS old
     FROM (SELECT key, ts FROM transaction_keys WHERE key > ? ORDER BY key LIMIT ?) AS page`,
    before,
    after,
    PAGE,
  )
  return { last: row?.last ?? null, old: Number(row?.old ?? 0) }
}

/** Those of a page. */
export function* deleteTransactionsBefore(after: string, last: string, ts: number): Tx<number> {
  return yield* runChanges(
    'DELETE FROM transaction_keys WHERE key > ? AND key <= ? AND ts < ?',
    after,
    last,
    ts,
  )
}

export function* deleteEarlierTransactionsBefore(ts: number): Tx<number> {
  return yield* runChanges('DELETE FROM client_transactions WHERE ts < ?', ts)
}

export function* hasEarlierTransactions(): Tx<boolean> {
  return (yield* all('SELECT 1 AS there FROM client_transactions LIMIT 1')).length > 0
}

/** With deleted devices go their transactions. */
export function* deleteTransactionsOf(userId: string, deviceIds: readonly string[]): Tx<void> {
  yield* many(
    'DELETE FROM transaction_keys WHERE key >= ? AND key < ?',
    deviceIds.map((deviceId) => {
      const prefix = deviceKey(userId, deviceId)
      return [prefix, prefix + AFTER_ALL]
    }),
  )
  yield* run('DELETE FROM client_transactions WHERE user_id = ? AND device_id IN (??)', userId, deviceIds)
}
