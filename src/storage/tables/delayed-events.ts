import { all, one, run, runChanges, type Tx } from '../tx.js'

export interface DelayedEventRow {
  readonly nid: number
  readonly delay_id: string
  readonly user_id: string
  readonly device_id: string | null
  readonly appservice_id: string | null
  readonly room_id: string
  readonly type: string
  readonly state_key: string | null
  /** JSON. */
  readonly content: string
  readonly ts: number | null
  readonly sticky_ms: number | null
  readonly delay_ms: number
  readonly scheduled_ts: number
  /** Null once it was sent or cancelled. */
  readonly due_ts: number | null
  readonly attempts: number
  readonly finalised_ts: number | null
  readonly event_id: string | null
  /** JSON. */
  readonly error: string | null
}

const COLUMNS =
  'nid, delay_id, user_id, device_id, appservice_id, room_id, type, state_key, content, ts, sticky_ms, delay_ms, scheduled_ts, due_ts, attempts, finalised_ts, event_id, error'

/** Pre: neither the id nor the transaction is there. */
export function* insertDelayedEvent(
  row: Omit<DelayedEventRow, 'nid' | 'attempts' | 'finalised_ts' | 'event_id' | 'error'> & {
    readonly txn_key: string | null
  },
): Tx<void> {
  yield* run(
    `INSERT INTO delayed_events (delay_id, user_id, device_id, appservice_id, txn_key, room_id, type, state_key, content, ts, sticky_ms,
       delay_ms, scheduled_ts, due_ts, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
    row.delay_id,
    row.user_id,
    row.device_id,
    row.appservice_id,
    row.txn_key,
    row.room_id,
    row.type,
    row.state_key,
    row.content,
    row.ts,
    row.sticky_ms,
    row.delay_ms,
    row.scheduled_ts,
    row.due_ts,
  )
}

export function* delayedEventById(delayId: string): Tx<DelayedEventRow | undefined> {
  return yield* one<DelayedEventRow>(`SELECT ${COLUMNS} FROM delayed_events WHERE delay_id = ?`, delayId)
}

/** The id of what was scheduled in a client's transaction. */
export function* delayedInTransaction(key: string): Tx<string | undefined> {
  return (yield* one<{ delay_id: string }>('SELECT delay_id FROM delayed_events WHERE txn_key = ?', key))
    ?.delay_id
}

/** What a user waits for, in the order in which it is sent. */
export function* scheduledEventsOf(userId: string, limit: number): Tx<readonly DelayedEventRow[]> {
  return yield* all<DelayedEventRow>(
    `SELECT ${COLUMNS} FROM delayed_events WHERE user_id = ? AND due_ts IS NOT NULL ORDER BY due_ts, nid LIMIT ?`,
    userId,
    limit,
  )
}

/** How many a user waits for, and when the first of them is sent. */
export function* scheduledCountOf(
  userId: string,
): Tx<{ readonly count: number; readonly first: number | null }> {
  const row = yield* one<{ count: number; first: number | null }>(
    'SELECT COUNT(*) AS count, MIN(due_ts) AS first FROM delayed_events WHERE user_id = ? AND due_ts IS NOT NULL',
    userId,
  )
  return { count: Number(row?.count ?? 0), first: row?.first ?? null }
}

/** What should have been sent by a time, in order. */
export function* dueEvents(
  until: number,
  limit: number,
): Tx<readonly { readonly delay_id: string; readonly room_id: string }[]> {
  return yield* all(
    'SELECT delay_id, room_id FROM delayed_events WHERE due_ts <= ? ORDER BY due_ts, nid LIMIT ?',
    until,
    limit,
  )
}

/** When the next one is due. */
export function* nextDue(): Tx<number | undefined> {
  const row = yield* one<{ due: number | null }>(
    'SELECT MIN(due_ts) AS due FROM delayed_events WHERE due_ts IS NOT NULL',
  )
  return row?.due ?? undefined
}

/** Post: the delay begins anew. */
export function* restartDelayedEvent(nid: number, now: number): Tx<void> {
  yield* run(
    'UPDATE delayed_events SET scheduled_ts = ?, due_ts = ? + delay_ms, attempts = 0 WHERE nid = ?',
    now,
    now,
    nid,
  )
}

/** Post: it is tried again at a time. */
export function* postponeDelayedEvent(nid: number, due: number): Tx<void> {
  yield* run('UPDATE delayed_events SET due_ts = ?, attempts = attempts + 1 WHERE nid = ?', due, nid)
}

export function* finaliseDelayedEvent(
  nid: number,
  now: number,
  outcome: { readonly eventId?: string; readonly error?: string },
): Tx<void> {
  yield* run(
    'UPDATE delayed_events SET due_ts = NULL, finalised_ts = ?, event_id = ?, error = ? WHERE nid = ?',
    now,
    outcome.eventId ?? null,
    outcome.error ?? null,
    nid,
  )
}

/** Post: of what is over, a user has the latest `keep`, and those of the same millisecond. */
export function* trimFinalised(userId: string, keep: number): Tx<void> {
  yield* run(
    `DELETE FROM delayed_events WHERE user_id = ? AND due_ts IS NULL AND finalised_ts < (
       SELECT finalised_ts FROM delayed_events WHERE user_id = ? AND due_ts IS NULL
       ORDER BY finalised_ts DESC LIMIT 1 OFFSET ?)`,
    userId,
    userId,
    keep - 1,
  )
}

/** Gives how many it has deleted. */
export function* deleteFinalisedBefore(ts: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM delayed_events WHERE nid IN (
       SELECT nid FROM delayed_events WHERE finalised_ts < ? ORDER BY finalised_ts LIMIT ?)`,
    ts,
    limit,
  )
}

export function* deleteDelayedEventsOf(userId: string): Tx<void> {
  yield* run('DELETE FROM delayed_events WHERE user_id = ?', userId)
}
