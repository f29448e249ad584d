import { all, one, run, runChanges, type Tx } from '../tx.js'

export interface AuditRow {
  readonly id: number
  readonly entry: string
  readonly hash: string
}

export interface AuditHeadRow {
  readonly id: number
  readonly hash: string
}

/**
 * The number of the next entry and the hash before it. Pre: called as late in the body as possible: the row stays locked until the commit.
 * `genesis`: what stands before the first entry. Post: `appendAuditEntry` with that number follows in the same body.
 */
export function* advanceAuditHead(genesis: string): Tx<AuditHeadRow> {
  const row = yield* one<AuditHeadRow>(
    `INSERT INTO audit_head (slot, id, hash) VALUES (1, 1, ?)
     ON CONFLICT (slot) DO UPDATE SET id = audit_head.id + 1 RETURNING id, hash`,
    genesis,
  )
  return row!
}

/** Pre: its number was given by `advanceAuditHead` in this body. */
export function* appendAuditEntry(row: AuditRow): Tx<void> {
  yield* run('INSERT INTO audit_log (id, entry, hash) VALUES (?, ?, ?)', row.id, row.entry, row.hash)
  yield* run('UPDATE audit_head SET hash = ? WHERE slot = 1', row.hash)
}

/** The last entry's number and hash; undefined before the first. */
export function* auditHead(): Tx<AuditHeadRow | undefined> {
  return yield* one<AuditHeadRow>('SELECT id, hash FROM audit_head WHERE slot = 1')
}

/** Entries with larger numbers, ascending. */
export function* auditEntriesAfter(id: number, limit: number): Tx<readonly AuditRow[]> {
  return yield* all<AuditRow>(
    'SELECT id, entry, hash FROM audit_log WHERE id > ? ORDER BY id LIMIT ?',
    id,
    limit,
  )
}

/** The oldest entry that is still there. */
export function* firstAuditEntry(): Tx<AuditRow | undefined> {
  return yield* one<AuditRow>('SELECT id, entry, hash FROM audit_log ORDER BY id LIMIT 1')
}

export interface AuditCutRow {
  /** The last entry that may go. */
  readonly id: number
  /** Of the chain up to it. */
  readonly hash: string
  /** Signed JSON. */
  readonly document: string
}

export function* insertAuditCut(row: AuditCutRow): Tx<void> {
  yield* run('INSERT INTO audit_cuts (id, hash, document) VALUES (?, ?, ?)', row.id, row.hash, row.document)
}

export function* lastAuditCut(): Tx<AuditCutRow | undefined> {
  return yield* one<AuditCutRow>('SELECT id, hash, document FROM audit_cuts ORDER BY id DESC LIMIT 1')
}

/** Post: at most `limit` of the entries before the last cut are gone; how many that were. */
export function* deleteCutEntries(limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM audit_log WHERE id IN
       (SELECT id FROM audit_log WHERE id <= (SELECT COALESCE(MAX(id), 0) FROM audit_cuts) ORDER BY id LIMIT ?)`,
    limit,
  )
}

export interface AuditDepositRow {
  readonly server: string
  readonly id: number
  readonly hash: string
  /** Signed JSON. */
  readonly document: string
  readonly received_ts: number
}

export function* auditDepositOf(server: string): Tx<AuditDepositRow | undefined> {
  return yield* one<AuditDepositRow>(
    'SELECT server, id, hash, document, received_ts FROM audit_deposits WHERE server = ?',
    server,
  )
}

/** Pre: the row goes on from the one that is there, which was read in this body. */
export function* putAuditDeposit(row: AuditDepositRow): Tx<void> {
  yield* run(
    `INSERT INTO audit_deposits (server, id, hash, document, received_ts) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (server) DO UPDATE SET id = excluded.id, hash = excluded.hash, document = excluded.document,
       received_ts = excluded.received_ts WHERE audit_deposits.id <= excluded.id`,
    row.server,
    row.id,
    row.hash,
    row.document,
    row.received_ts,
  )
}

/** Gives whether there was one. */
export function* deleteAuditDeposit(server: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM audit_deposits WHERE server = ?', server)) === 1
}

/** The last entry that a reader has; 0 for a new one. */
export function* auditCursor(reader: string): Tx<number> {
  const row = yield* one<{ id: number }>('SELECT id FROM audit_cursors WHERE reader = ?', reader)
  return row?.id ?? 0
}

export function* setAuditCursor(reader: string, id: number): Tx<void> {
  yield* run(
    `INSERT INTO audit_cursors (reader, id) VALUES (?, ?)
     ON CONFLICT (reader) DO UPDATE SET id = excluded.id`,
    reader,
    id,
  )
}
