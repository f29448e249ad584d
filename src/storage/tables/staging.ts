import { all, many, manyChanges, one, run, runChanges, type Tx } from '../tx.js'

/** PDUs that other servers were told are taken, until their room's drain has applied or dropped them. */
export interface StagedPdu {
  readonly origin: string
  readonly room_id: string
  readonly event_id: string
  /** Milliseconds since 1970. */
  readonly received: number
  readonly json: string
  /** 0 while a key is lacking. */
  readonly verified: number
}

export interface StagedRow extends StagedPdu {
  readonly nid: number
  readonly attempts: number
}

/**
 * Post: each of the events is staged. One that was staged already is left as it is, unless its key was lacking and this
 * copy is verified: junk signatures cannot keep the real event out. Gives the number of rows written.
 */
export function* stagePdus(rows: readonly StagedPdu[]): Tx<number> {
  return yield* manyChanges(
    `INSERT INTO staged_pdus (origin, room_id, event_id, received, json, verified) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_id, event_id) DO UPDATE SET origin = excluded.origin, json = excluded.json, verified = 1,
       attempts = 0, retry_at = 0 WHERE staged_pdus.verified = 0 AND excluded.verified = 1`,
    rows.map((row) => [row.origin, row.room_id, row.event_id, row.received, row.json, row.verified]),
  )
}

/**
 * Nids of a room's staged PDUs that are due, oldest first. What is to wait for longer than `longest` milliseconds is due as well:
 * no pause is so long, so the clock has stepped back.
 */
export function* dueStaged(roomId: string, now: number, longest: number): Tx<readonly number[]> {
  const rows = yield* all<{ nid: number }>(
    'SELECT nid FROM staged_pdus WHERE room_id = ? AND (retry_at <= ? OR retry_at > ?) ORDER BY nid',
    roomId,
    now,
    now + longest,
  )
  return rows.map((row) => row.nid)
}

export function* stagedByNids(nids: readonly number[]): Tx<readonly StagedRow[]> {
  return yield* all<StagedRow>(
    `SELECT nid, origin, room_id, event_id, received, json, verified, attempts FROM staged_pdus
     WHERE nid IN (??) ORDER BY nid`,
    nids,
  )
}

/** When the next of those that `dueStaged` leaves out is due; undefined for none. */
export function* laterStagedAt(roomId: string, now: number, longest: number): Tx<number | undefined> {
  const row = yield* one<{ at: number | null }>(
    'SELECT MIN(retry_at) AS at FROM staged_pdus WHERE room_id = ? AND retry_at > ? AND retry_at <= ?',
    roomId,
    now,
    now + longest,
  )
  return row?.at ?? undefined
}

/** When the next staged PDU of a room is due; undefined for none. */
export function* nextStagedAt(roomId: string): Tx<number | undefined> {
  const row = yield* one<{ at: number | null }>(
    'SELECT MIN(retry_at) AS at FROM staged_pdus WHERE room_id = ?',
    roomId,
  )
  return row?.at ?? undefined
}

export function* deleteStaged(nids: readonly number[]): Tx<void> {
  if (nids.length > 0) yield* run('DELETE FROM staged_pdus WHERE nid IN (??)', nids)
}

/** How many wait in all rooms together; not counted beyond `limit`. */
export function* stagedCount(limit: number): Tx<number> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM (SELECT nid FROM staged_pdus LIMIT ?) AS counted',
    limit,
  )
  return row?.n ?? 0
}

export function* markStagedVerified(
  rows: readonly { readonly nid: number; readonly json: string }[],
): Tx<void> {
  yield* many(
    'UPDATE staged_pdus SET verified = 1, json = ? WHERE nid = ?',
    rows.map((row) => [row.json, row.nid]),
  )
}

/** Post: these are not due before `retryAt`, and one attempt more has failed if `counts`. */
export function* postponeStaged(
  rows: readonly { readonly nid: number; readonly attempts: number; readonly retryAt: number }[],
): Tx<void> {
  yield* many(
    'UPDATE staged_pdus SET attempts = ?, retry_at = ? WHERE nid = ?',
    rows.map((row) => [row.attempts, row.retryAt, row.nid]),
  )
}

/** Post: these are due now; how often they have failed is as before. */
export function* hurryStaged(nids: readonly number[]): Tx<void> {
  yield* run('UPDATE staged_pdus SET retry_at = 0 WHERE nid IN (??)', nids)
}

/** Rooms with staged PDUs. */
export function* roomsWithStaged(): Tx<readonly string[]> {
  const rows = yield* all<{ room_id: string }>('SELECT DISTINCT room_id FROM staged_pdus')
  return rows.map((row) => row.room_id)
}

/** What waits, by origin and room: rows, and characters of JSON. */
export function* stagedAmounts(): Tx<
  readonly {
    readonly origin: string
    readonly room_id: string
    readonly amount: number
    readonly size: number
  }[]
> {
  return yield* all(
    `SELECT origin, room_id, COUNT(*) AS amount, CAST(SUM(LENGTH(json)) AS INTEGER) AS size FROM staged_pdus
     GROUP BY origin, room_id`,
  )
}

export function* receivedTransaction(origin: string, txnId: string): Tx<string | undefined> {
  const row = yield* one<{ response: string }>(
    'SELECT response FROM received_transactions WHERE origin = ? AND txn_id = ?',
    origin,
    txnId,
  )
  return row?.response
}

export function* saveReceivedTransaction(
  origin: string,
  txnId: string,
  ts: number,
  response: string,
): Tx<void> {
  yield* run(
    `INSERT INTO received_transactions (origin, txn_id, ts, response) VALUES (?, ?, ?, ?)
     ON CONFLICT (origin, txn_id) DO NOTHING`,
    origin,
    txnId,
    ts,
    response,
  )
}

/** Forgets up to `limit` transactions of before `ts`; gives how many there were. */
export function* forgetTransactions(ts: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM received_transactions WHERE (origin, txn_id) IN (
       SELECT origin, txn_id FROM received_transactions WHERE ts < ? ORDER BY ts LIMIT ?)`,
    ts,
    limit,
  )
}
