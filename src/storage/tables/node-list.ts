import { all, many, one, run, type Tx } from '../tx.js'

export interface NodeListRow {
  readonly circle: string
  readonly sequence: number
  readonly digest: string
  readonly configured: string
  readonly document: string
  /** Milliseconds since 1970. */
  readonly taken: number
  readonly frozen: number | null
}

export function* takenNodeList(): Tx<NodeListRow | undefined> {
  return yield* one<NodeListRow>(
    `SELECT circle, sequence, digest, configured, document, taken, frozen FROM node_lists WHERE slot = 'taken'`,
  )
}

/** Post: this is the list, it is not frozen, and nobody is noted as known. */
export function* takeNodeList(row: Omit<NodeListRow, 'frozen'>): Tx<void> {
  yield* run(
    `INSERT INTO node_lists (slot, circle, sequence, digest, configured, document, taken) VALUES ('taken', ?, ?, ?, ?, ?, ?)
     ON CONFLICT (slot) DO UPDATE SET circle = excluded.circle, sequence = excluded.sequence, digest = excluded.digest,
       configured = excluded.configured, document = excluded.document, taken = excluded.taken, frozen = NULL`,
    row.circle,
    row.sequence,
    row.digest,
    row.configured,
    row.document,
    row.taken,
  )
  yield* run('DELETE FROM node_list_known')
}

/** Pre: a list is taken. Post: it is frozen since then, and these servers alone are known. */
export function* freezeNodeList(at: number, known: readonly string[]): Tx<void> {
  yield* run(`UPDATE node_lists SET frozen = ? WHERE slot = 'taken'`, at)
  yield* run('DELETE FROM node_list_known')
  yield* many(
    'INSERT INTO node_list_known (server_name) VALUES (?)',
    known.map((name) => [name]),
  )
}

export function* knownMembers(): Tx<readonly string[]> {
  const rows = yield* all<{ server_name: string }>('SELECT server_name FROM node_list_known')
  return rows.map((row) => row.server_name)
}

/** Rooms with local members, by nid; the next ones after a nid. */
export function* roomsLivedIn(after: number, limit: number): Tx<readonly number[]> {
  const rows = yield* all<{ nid: number }>(
    `SELECT r.nid FROM rooms r WHERE r.nid > ?
       AND EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = r.nid AND m.local = 1 AND m.membership = 'join')
     ORDER BY r.nid LIMIT ?`,
    after,
    limit,
  )
  return rows.map((row) => row.nid)
}

/** Other servers of which somebody has joined one of these rooms. */
export function* serversIn(roomNids: readonly number[]): Tx<readonly string[]> {
  if (roomNids.length === 0) return []
  const rows = yield* all<{ server: string }>(
    `SELECT DISTINCT server FROM memberships WHERE room_nid IN (??) AND local = 0 AND membership = 'join'`,
    roomNids,
  )
  return rows.map((row) => row.server)
}
