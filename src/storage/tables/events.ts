import { all, many, one, run, type Tx } from '../tx.js'
import { noteAccessVerdicts } from './access-verdicts.js'

export interface EventRow {
  readonly nid: number
  readonly event_id: string
  readonly room_nid: number
  readonly type: string
  readonly state_key: string | null
  readonly sender: string
  readonly depth: number
  readonly ts: number
  /** Position in the live stream; null for what never was live: outliers, backfill, rejected events. */
  readonly pos: number | null
  /** Orders events of one depth: the position, or a negative number that falls with each backfill. */
  readonly ord: number | null
  /** 1: known for its content only, with no state of its own. */
  readonly outlier: number
  /** The rule that refused it, or null. */
  readonly rejected: string | null
  readonly soft_failed: number
  readonly state_before: string | null
  readonly state_after: string | null
  /** Nids of its auth events, a JSON array. */
  readonly auth: string
  /** The state event that it replaced. */
  readonly replaces: number | null
  /** The redaction that took its content. */
  readonly redacted_by: number | null
  /** `[device id, transaction id]` of the client request that made it. */
  readonly txn: string | null
  readonly json: string
}

const COLUMNS =
  'nid, event_id, room_nid, type, state_key, sender, depth, ts, pos, ord, outlier, rejected, soft_failed, state_before, state_after, auth, replaces, redacted_by, txn, json'

/** Post: new events exist; an outlier that is known already takes its place in the graph. */
export function* insertEvents(rows: readonly EventRow[]): Tx<void> {
  yield* many(
    `INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (nid) DO UPDATE SET pos = excluded.pos, ord = excluded.ord, outlier = excluded.outlier,
       rejected = excluded.rejected, soft_failed = excluded.soft_failed, state_before = excluded.state_before,
       state_after = excluded.state_after, auth = excluded.auth, replaces = excluded.replaces`,
    rows.map((row) => [
      row.nid,
      row.event_id,
      row.room_nid,
      row.type,
      row.state_key,
      row.sender,
      row.depth,
      row.ts,
      row.pos,
      row.ord,
      row.outlier,
      row.rejected,
      row.soft_failed,
      row.state_before,
      row.state_after,
      row.auth,
      row.replaces,
      row.redacted_by,
      row.txn,
      row.json,
    ]),
  )
  yield* noteAccessVerdicts(
    rows.filter((row) => row.rejected?.startsWith('access.') === true).map((row) => row.nid),
  )
}

export function* eventsByNids(nids: readonly number[]): Tx<readonly EventRow[]> {
  return yield* all<EventRow>(`SELECT ${COLUMNS} FROM events WHERE nid IN (??)`, nids)
}

export function* eventsByIds(ids: readonly string[]): Tx<readonly EventRow[]> {
  return yield* all<EventRow>(`SELECT ${COLUMNS} FROM events WHERE event_id IN (??)`, ids)
}

/** Events that clients of the room may be shown, live, in (from, to], newest first. */
export function* liveEvents(
  roomNid: number,
  from: number,
  to: number,
  limit: number,
): Tx<readonly EventRow[]> {
  return yield* all<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE room_nid = ? AND pos > ? AND pos <= ? AND soft_failed = 0
     ORDER BY pos DESC LIMIT ?`,
    roomNid,
    from,
    to,
    limit,
  )
}

/** The same without the events themselves. */
export function* liveEventNids(
  roomNid: number,
  from: number,
  to: number,
  limit: number,
): Tx<readonly { readonly nid: number; readonly pos: number; readonly depth: number }[]> {
  return yield* all(
    `SELECT nid, pos, depth FROM events WHERE room_nid = ? AND pos > ? AND pos <= ? AND soft_failed = 0
     ORDER BY pos DESC LIMIT ?`,
    roomNid,
    from,
    to,
    limit,
  )
}

/** One page of a room in topological order, strictly before (depth, ord). */
export function* eventsBefore(
  roomNid: number,
  depth: number,
  ord: number,
  limit: number,
): Tx<readonly EventRow[]> {
  return yield* all<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE room_nid = ? AND (depth, ord) < (?, ?) AND ord IS NOT NULL
     ORDER BY depth DESC, ord DESC LIMIT ?`,
    roomNid,
    depth,
    ord,
    limit,
  )
}

/** One page in topological order, strictly after (depth, ord), oldest first. */
export function* eventsAfter(
  roomNid: number,
  depth: number,
  ord: number,
  limit: number,
): Tx<readonly EventRow[]> {
  return yield* all<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE room_nid = ? AND (depth, ord) > (?, ?) AND ord IS NOT NULL
     ORDER BY depth, ord LIMIT ?`,
    roomNid,
    depth,
    ord,
    limit,
  )
}

/** The smallest `ord` in use: backfill goes below it. */
export function* lowestOrd(roomNid: number): Tx<number> {
  const row = yield* one<{ low: number | null }>(
    'SELECT MIN(ord) AS low FROM events WHERE room_nid = ?',
    roomNid,
  )
  return row?.low ?? 0
}

/** Post: the event's content is gone; `json` is its redacted form. */
export function* markRedacted(nid: number, redactionNid: number, json: string): Tx<void> {
  yield* run('UPDATE events SET redacted_by = ?, json = ? WHERE nid = ?', redactionNid, json, nid)
}

export function* insertRedactions(rows: readonly { target: string; redaction: number }[]): Tx<void> {
  yield* many(
    'INSERT INTO redactions (target, redaction) VALUES (?, ?) ON CONFLICT DO NOTHING',
    rows.map((row) => [row.target, row.redaction]),
  )
}

/** Redactions that name one of these events, arrived before them or not. */
export function* redactionsOf(
  targets: readonly string[],
): Tx<readonly { readonly target: string; readonly redaction: number }[]> {
  return yield* all('SELECT target, redaction FROM redactions WHERE target IN (??)', targets)
}

/** Predecessors of known events that this server lacks, for backfill: those nearest before a depth first. */
export function* missingEvents(
  roomNid: number,
  limit: number,
): Tx<readonly { readonly event_id: string; readonly depth: number }[]> {
  return yield* all(
    'SELECT event_id, MAX(depth) AS depth FROM missing_events WHERE room_nid = ? GROUP BY event_id ORDER BY 2 DESC LIMIT ?',
    roomNid,
    limit,
  )
}

/** Who has said the least deep events of a room that are known here, whether they are still in it or not. */
export function* earlySenders(roomNid: number, events: number): Tx<string[]> {
  const rows = yield* all<{ sender: string }>(
    'SELECT DISTINCT sender FROM (SELECT sender FROM events WHERE room_nid = ? ORDER BY depth LIMIT ?) AS early',
    roomNid,
    events,
  )
  return rows.map((row) => row.sender)
}

/**
 * The depth at which this server came into a room last. Where that was not written down, because it was long ago: that of a join of one of its
 * users whose predecessors are not here; where they have been fetched since, that of the first event that clients were shown as it came.
 * Undefined for a room without one.
 */
export function* arrivalDepth(roomNid: number, serverName: string): Tx<number | undefined> {
  const room = yield* one<{ arrival_depth: number | null }>(
    'SELECT arrival_depth FROM rooms WHERE nid = ?',
    roomNid,
  )
  if (room !== undefined && room.arrival_depth !== null) return room.arrival_depth
  const suffix = `:${serverName}`
  const row = yield* one<{ depth: number | null }>(
    `SELECT MAX(m.depth) AS depth FROM missing_events m JOIN events e ON e.nid = m.referrer AND e.pos IS NOT NULL
     WHERE m.room_nid = ? AND e.type = 'm.room.member' AND e.sender = e.state_key
       AND SUBSTR(e.sender, LENGTH(e.sender) - ? + 1) = ?`,
    roomNid,
    suffix.length,
    suffix,
  )
  if (row !== undefined && row.depth !== null) return row.depth
  const first = yield* one<{ depth: number }>(
    'SELECT depth FROM events WHERE room_nid = ? AND pos IS NOT NULL ORDER BY pos LIMIT 1',
    roomNid,
  )
  return first?.depth
}

/** Predecessors that are not here of the join with which a server came into a room, at this depth. */
export function* missingBeforeArrival(roomNid: number, depth: number, serverName: string): Tx<string[]> {
  const suffix = `:${serverName}`
  const rows = yield* all<{ event_id: string }>(
    `SELECT m.event_id FROM missing_events m JOIN events e ON e.nid = m.referrer AND e.pos IS NOT NULL
     WHERE m.room_nid = ? AND m.depth = ? AND e.type = 'm.room.member' AND e.sender = e.state_key
       AND SUBSTR(e.sender, LENGTH(e.sender) - ? + 1) = ?`,
    roomNid,
    depth,
    suffix.length,
    suffix,
  )
  return rows.map((row) => row.event_id)
}

/**
 * The depth of an event in (low, high] that clients see and that names predecessors which this server lacks; going back the deepest, going
 * forward the least deep.
 */
export function* gapDepth(
  roomNid: number,
  low: number,
  high: number,
  dir: 'f' | 'b',
): Tx<number | undefined> {
  const row = yield* one<{ depth: number }>(
    `SELECT m.depth FROM missing_events m JOIN events e ON e.nid = m.referrer AND e.ord IS NOT NULL
     WHERE m.room_nid = ? AND m.depth > ? AND m.depth <= ? ORDER BY m.depth ${dir === 'b' ? 'DESC' : 'ASC'} LIMIT 1`,
    roomNid,
    low,
    high,
  )
  return row?.depth
}

/** Those of the events that name predecessors which this server lacks. */
export function* eventsWithGaps(roomNid: number, nids: readonly number[]): Tx<readonly number[]> {
  if (nids.length === 0) return []
  const rows = yield* all<{ referrer: number }>(
    'SELECT DISTINCT referrer FROM missing_events WHERE room_nid = ? AND referrer IN (??)',
    roomNid,
    nids,
  )
  return rows.map((row) => row.referrer)
}

export function* insertMissingEvents(
  rows: readonly { roomNid: number; eventId: string; referrer: number; depth: number }[],
): Tx<void> {
  yield* many(
    'INSERT INTO missing_events (room_nid, event_id, referrer, depth) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    rows.map((row) => [row.roomNid, row.eventId, row.referrer, row.depth]),
  )
}

export function* foundEvents(roomNid: number, ids: readonly string[]): Tx<void> {
  yield* run('DELETE FROM missing_events WHERE room_nid = ? AND event_id IN (??)', roomNid, ids)
}

/** Events with nids in (from, to] that clients see and that may relate to others, by a word in their JSON. */
export function* eventsNamingRelations(from: number, to: number): Tx<readonly EventRow[]> {
  return yield* all<EventRow>(
    `SELECT ${COLUMNS} FROM events WHERE nid > ? AND nid <= ? AND ord IS NOT NULL AND rejected IS NULL AND soft_failed = 0
     AND redacted_by IS NULL AND json LIKE '%m.relates_to%'`,
    from,
    to,
  )
}

/** A page of events by time, those of one moment by nid, from a place on: forwards strictly after it, backwards strictly before. */
export function* eventsByTime(
  roomNid: number,
  { ts, nid }: { readonly ts: number; readonly nid: number },
  dir: 'f' | 'b',
  limit: number,
): Tx<readonly { readonly nid: number; readonly ts: number }[]> {
  const range =
    dir === 'f' ? '(ts, nid) > (?, ?) ORDER BY ts, nid' : '(ts, nid) < (?, ?) ORDER BY ts DESC, nid DESC'
  const sql = `SELECT nid, ts FROM events WHERE room_nid = ? AND ord IS NOT NULL AND ${range} LIMIT ?`
  return yield* all(sql, roomNid, ts, nid, limit)
}
