import { all, many, one, run, runChanges, type Tx } from '../tx.js'

/** Durable queues towards other servers; rows are written in the transaction of what causes them. */
export interface OutboxEdu {
  readonly destination: string
  readonly eduType: string
  readonly content: string
  /** A newer EDU with the same key replaces an older one that has not been sent. */
  readonly coalesceKey: string | null
}

/** Each row: a destination and the nid of the event to send there. */
export function* enqueuePdus(rows: readonly (readonly [destination: string, eventNid: number])[]): Tx<void> {
  yield* many('INSERT INTO outbox_pdus (destination, event_nid) VALUES (?, ?) ON CONFLICT DO NOTHING', rows)
}

export function* enqueueEdus(edus: readonly OutboxEdu[]): Tx<void> {
  yield* many(
    `INSERT INTO outbox_edus (destination, edu_type, coalesce_key, content) VALUES (?, ?, ?, ?)
     ON CONFLICT (destination, coalesce_key) DO UPDATE SET content = excluded.content`,
    edus.map((edu) => [edu.destination, edu.eduType, edu.coalesceKey, edu.content]),
  )
}

export function* pendingPdus(
  destination: string,
  limit: number,
): Tx<readonly { readonly event_nid: number; readonly json: string; readonly room_nid: number }[]> {
  return yield* all(
    `SELECT o.event_nid, e.json, e.room_nid FROM outbox_pdus o JOIN events e ON e.nid = o.event_nid
     WHERE o.destination = ? ORDER BY o.event_nid LIMIT ?`,
    destination,
    limit,
  )
}

export function* pendingEdus(
  destination: string,
  limit: number,
): Tx<readonly { readonly nid: number; readonly edu_type: string; readonly content: string }[]> {
  return yield* all(
    'SELECT nid, edu_type, content FROM outbox_edus WHERE destination = ? ORDER BY nid LIMIT ?',
    destination,
    limit,
  )
}

/** Removes what was sent. An EDU replaced while in flight has the same nid and other content: it stays. */
export function* deleteSent(
  destination: string,
  eventNids: readonly number[],
  edus: readonly { readonly nid: number; readonly content: string }[],
): Tx<void> {
  yield* run('DELETE FROM outbox_pdus WHERE destination = ? AND event_nid IN (??)', destination, eventNids)
  yield* many(
    'DELETE FROM outbox_edus WHERE nid = ? AND content = ?',
    edus.map((edu) => [edu.nid, edu.content]),
  )
}

/**
 * Rooms of which more than `bound` PDUs wait for a destination: how many, and the newest of them, which is the end of what the
 * destination is to know of the room.
 */
export function* crowdedRooms(
  destination: string,
  bound: number,
): Tx<readonly { readonly room_nid: number; readonly n: number; readonly newest: number }[]> {
  return yield* all(
    `SELECT e.room_nid, COUNT(*) AS n, MAX(o.event_nid) AS newest
     FROM outbox_pdus o JOIN events e ON e.nid = o.event_nid
     WHERE o.destination = ? GROUP BY e.room_nid HAVING COUNT(*) > ?`,
    destination,
    bound,
  )
}

/** Whether more than `bound` PDUs wait for a destination. */
export function* isCrowded(destination: string, bound: number): Tx<boolean> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM (SELECT 1 AS x FROM outbox_pdus WHERE destination = ? LIMIT ?) AS counted',
    destination,
    bound + 1,
  )
  return Number(row?.n ?? 0) > bound
}

/** Deletes the oldest PDUs of a room that wait for a destination, at most `count`, never those of `keep` nor what sticks; gives how many. */
export function* dropOldestPdus(
  destination: string,
  roomNid: number,
  count: number,
  keep: readonly number[],
): Tx<number> {
  const rows = yield* all<{ event_nid: number }>(
    `SELECT o.event_nid FROM outbox_pdus o JOIN events e ON e.nid = o.event_nid
     WHERE o.destination = ? AND e.room_nid = ? AND o.event_nid NOT IN (??)
       AND o.event_nid NOT IN (SELECT event_nid FROM sticky_events) ORDER BY o.event_nid LIMIT ?`,
    destination,
    roomNid,
    keep,
    count,
  )
  return yield* runChanges(
    'DELETE FROM outbox_pdus WHERE destination = ? AND event_nid IN (??)',
    destination,
    rows.map((row) => row.event_nid),
  )
}

/** Nids of the heads of some rooms, a JSON list each. */
export function* headsOfRooms(
  roomNids: readonly number[],
): Tx<readonly { readonly nid: number; readonly heads: string }[]> {
  return yield* all('SELECT nid, heads FROM rooms WHERE nid IN (??)', roomNids)
}

/** Post: nothing waits for the destination. */
export function* clearOutbox(destination: string): Tx<void> {
  yield* run('DELETE FROM outbox_pdus WHERE destination = ?', destination)
  yield* run('DELETE FROM outbox_edus WHERE destination = ?', destination)
}

/** Every destination for which something waits. */
export function* pendingDestinations(): Tx<readonly string[]> {
  const rows = yield* all<{ destination: string }>(
    'SELECT DISTINCT destination FROM outbox_pdus UNION SELECT DISTINCT destination FROM outbox_edus',
  )
  return rows.map((row) => row.destination)
}

/** How many rows wait for all destinations together; not counted beyond `limit`. */
export function* waitingPdus(limit: number): Tx<number> {
  return yield* waiting('outbox_pdus', limit)
}

export function* waitingEdus(limit: number): Tx<number> {
  return yield* waiting('outbox_edus', limit)
}

function* waiting(table: 'outbox_pdus' | 'outbox_edus', limit: number): Tx<number> {
  const row = yield* one<{ n: number }>(
    `SELECT COUNT(*) AS n FROM (SELECT destination FROM ${table} LIMIT ?) AS counted`,
    limit,
  )
  return row?.n ?? 0
}

export interface DestinationRow {
  readonly server_name: string
  readonly failing_since: number | null
  readonly retry_at: number | null
  readonly retry_interval: number | null
}

/** All that are or were in trouble, at most 100,000. */
export function* destinationsNamed(): Tx<readonly DestinationRow[]> {
  return yield* all<DestinationRow>('SELECT * FROM destinations ORDER BY server_name LIMIT 100000')
}

export function* destination(serverName: string): Tx<DestinationRow | undefined> {
  return yield* one<DestinationRow>('SELECT * FROM destinations WHERE server_name = ?', serverName)
}

export function* saveDestination(row: DestinationRow): Tx<void> {
  yield* run(
    `INSERT INTO destinations (server_name, failing_since, retry_at, retry_interval) VALUES (?, ?, ?, ?)
     ON CONFLICT (server_name) DO UPDATE SET failing_since = excluded.failing_since, retry_at = excluded.retry_at,
       retry_interval = excluded.retry_interval`,
    row.server_name,
    row.failing_since,
    row.retry_at,
    row.retry_interval,
  )
}

/** How many EDUs wait for a destination, by type. */
export function* countEdusByType(destination: string): Tx<ReadonlyMap<string, number>> {
  const rows = yield* all<{ edu_type: string; n: number }>(
    'SELECT edu_type, COUNT(*) AS n FROM outbox_edus WHERE destination = ? GROUP BY edu_type',
    destination,
  )
  return new Map(rows.map((row) => [row.edu_type, Number(row.n)]))
}

/** Deletes the oldest EDUs of one type for a destination, at most `count`; gives how many. */
export function* dropOldestEdus(destination: string, count: number, eduType: string): Tx<number> {
  return yield* runChanges(
    `DELETE FROM outbox_edus WHERE nid IN (
       SELECT nid FROM outbox_edus WHERE destination = ? AND edu_type = ? ORDER BY nid LIMIT ?)`,
    destination,
    eduType,
    count,
  )
}
