import { all, many, one, run, runChanges, type Tx } from '../tx.js'

/** How far the purge of a room has come; see the migration. */
export interface RetentionRoomRow {
  readonly room_nid: number
  readonly done_ts: number
  readonly whole_ts: number
  readonly purged: number
}

export function* retentionRoom(roomNid: number): Tx<RetentionRoomRow | undefined> {
  return yield* one<RetentionRoomRow>(
    'SELECT room_nid, done_ts, whole_ts, purged FROM retention_rooms WHERE room_nid = ?',
    roomNid,
  )
}

export function* upsertRetentionRoom(row: RetentionRoomRow): Tx<void> {
  yield* run(
    `INSERT INTO retention_rooms (room_nid, done_ts, whole_ts, purged) VALUES (?, ?, ?, ?)
     ON CONFLICT (room_nid) DO UPDATE SET done_ts = excluded.done_ts, whole_ts = excluded.whole_ts, purged = excluded.purged`,
    row.room_nid,
    row.done_ts,
    row.whole_ts,
    row.purged,
  )
}

/** Post: every room is gone through from its beginning the next time: something that was held is not any more. */
export function* forgetPurgeProgress(): Tx<void> {
  yield* run('UPDATE retention_rooms SET done_ts = 0, whole_ts = 0')
}

/** A place in a room by time. */
export interface TimePlace {
  readonly ts: number
  readonly nid: number
}

/** Messages of a room from after a place and before a moment, the oldest first. */
export function* messagesByTime(
  roomNid: number,
  after: TimePlace,
  before: number,
  limit: number,
): Tx<
  readonly {
    readonly nid: number
    readonly ts: number
    readonly sender: string
    readonly json: string
    readonly event_id: string
  }[]
> {
  return yield* all(
    `SELECT nid, event_id, ts, sender, json FROM events
     WHERE room_nid = ? AND (ts, nid) > (?, ?) AND ts < ? AND state_key IS NULL ORDER BY ts, nid LIMIT ?`,
    roomNid,
    after.ts,
    after.nid,
    before,
    limit,
  )
}

/** Post: nothing of what the events said is left; json: their redacted form. */
export function* stripEvents(rows: readonly { readonly nid: number; readonly json: string }[]): Tx<void> {
  yield* many(
    'UPDATE events SET json = ?, txn = NULL WHERE nid = ?',
    rows.map((row) => [row.json, row.nid]),
  )
}

/** Rooms by nid, after one of them. */
export function* roomIdsAfter(
  after: number,
  limit: number,
): Tx<readonly { readonly nid: number; readonly room_id: string }[]> {
  return yield* all('SELECT nid, room_id FROM rooms WHERE nid > ? ORDER BY nid LIMIT ?', after, limit)
}

export interface LegalHoldRow {
  readonly kind: 'room' | 'user'
  readonly target: string
  readonly reason: string
  readonly set_by: string
  readonly since: number
}

export function* legalHolds(): Tx<readonly LegalHoldRow[]> {
  return yield* all<LegalHoldRow>(
    'SELECT kind, target, reason, set_by, since FROM legal_holds ORDER BY since, kind, target',
  )
}

/** Post: the hold is there; gives false, and the one of before stays, where there was one. */
export function* insertLegalHold(row: LegalHoldRow): Tx<boolean> {
  const changes = yield* runChanges(
    'INSERT INTO legal_holds (kind, target, reason, set_by, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    row.kind,
    row.target,
    row.reason,
    row.set_by,
    row.since,
  )
  return changes === 1
}

export function* deleteLegalHold(kind: 'room' | 'user', target: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM legal_holds WHERE kind = ? AND target = ?', kind, target)) === 1
}

/** Users of this server who are or were in some rooms. */
export function* localPeopleOf(roomIds: readonly string[]): Tx<ReadonlySet<string>> {
  if (roomIds.length === 0) return new Set()
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT m.user_id FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE r.room_id IN (??) AND m.local = 1`,
    roomIds,
  )
  return new Set(rows.map((row) => row.user_id))
}

export interface PurgeRecordRow {
  readonly id: number
  readonly room_id: string
  readonly made_ts: number
  readonly record: string
}

export function* insertPurgeRecord(row: Omit<PurgeRecordRow, 'id'>): Tx<number> {
  const made = yield* one<{ id: number }>(
    'INSERT INTO purge_records (room_id, made_ts, record) VALUES (?, ?, ?) RETURNING id',
    row.room_id,
    row.made_ts,
    row.record,
  )
  return made!.id
}

/** The latest first, with lower ids than `before`. */
export function* purgeRecords(before: number, limit: number): Tx<readonly PurgeRecordRow[]> {
  return yield* all<PurgeRecordRow>(
    'SELECT id, room_id, made_ts, record FROM purge_records WHERE id < ? ORDER BY id DESC LIMIT ?',
    before,
    limit,
  )
}

export interface LocalMediumRow {
  readonly media_id: string
  readonly user_id: string | null
  /** Bytes. */
  readonly size: number
  readonly created_ts: number
  readonly last_access_ts: number
}

/** A page of this server's media by id, with what decides whether they go. */
export function* localMediaAfter(
  origin: string,
  after: string,
  limit: number,
): Tx<readonly LocalMediumRow[]> {
  return yield* all<LocalMediumRow>(
    `SELECT media_id, user_id, size, created_ts, last_access_ts FROM media WHERE origin = ? AND media_id > ? AND sha256 IS NOT NULL
     ORDER BY media_id LIMIT ?`,
    origin,
    after,
    limit,
  )
}

/** Those of some addresses that are somebody's picture. */
export function* profilePictures(uris: readonly string[]): Tx<ReadonlySet<string>> {
  if (uris.length === 0) return new Set()
  const rows = yield* all<{ value: string }>(
    "SELECT DISTINCT value FROM profiles WHERE field = 'avatar_url' AND value IN (??)",
    uris.map((uri) => JSON.stringify(uri)),
  )
  return new Set(rows.map((row) => JSON.parse(row.value) as string))
}

/** A member server that is still to be told of a purge. */
export interface DueReceiptRow {
  readonly id: number
  readonly server: string
  readonly attempts: number
  readonly room_id: string
  readonly record: string
}

export function* dueReceipts(now: number, limit: number): Tx<readonly DueReceiptRow[]> {
  return yield* all<DueReceiptRow>(
    `SELECT r.id, p.server, p.attempts, r.room_id, r.record FROM purge_receipts p JOIN purge_records r ON r.id = p.record
     WHERE p.receipt IS NULL AND p.due <= ? ORDER BY p.due LIMIT ?`,
    now,
    limit,
  )
}

/** Post: the servers are to be told of the purge at once. */
export function* awaitReceipts(record: number, servers: readonly string[]): Tx<void> {
  yield* many(
    'INSERT INTO purge_receipts (record, server, receipt, attempts, due) VALUES (?, ?, NULL, 0, 0)',
    servers.map((server) => [record, server]),
  )
}

export function* putReceipt(record: number, server: string, receipt: string): Tx<void> {
  yield* run('UPDATE purge_receipts SET receipt = ? WHERE record = ? AND server = ?', receipt, record, server)
}

export function* postponeReceipt(record: number, server: string, attempts: number, due: number): Tx<void> {
  yield* run(
    'UPDATE purge_receipts SET attempts = ?, due = ? WHERE record = ? AND server = ?',
    attempts,
    due,
    record,
    server,
  )
}

/** What came, and from whom something is still to come, of some records. */
export function* receiptsOf(
  records: readonly number[],
): Tx<readonly { readonly record: number; readonly server: string; readonly receipt: string | null }[]> {
  if (records.length === 0) return []
  return yield* all(
    'SELECT record, server, receipt FROM purge_receipts WHERE record IN (??) ORDER BY record, server',
    records,
  )
}

/** Whether one of some users is or was in a room. */
export function* heldPeopleIn(roomNid: number, users: readonly string[]): Tx<boolean> {
  if (users.length === 0) return false
  const row = yield* one(
    'SELECT 1 AS x FROM memberships WHERE room_nid = ? AND user_id IN (??) LIMIT 1',
    roomNid,
    users,
  )
  return row !== undefined
}
