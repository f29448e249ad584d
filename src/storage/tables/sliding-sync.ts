import { all, many, one, run, type Tx } from '../tx.js'

export interface SlidingConnectionRow {
  readonly nid: number
  readonly user_id: string
  readonly device_id: string
  readonly conn_id: string
  /** Number of the state that `sliding_rooms` and `meta` hold. */
  readonly base: number
  readonly last_seq: number
  readonly meta: string
  readonly used_ts: number
}

export function* slidingConnection(
  userId: string,
  deviceId: string,
  connId: string,
): Tx<SlidingConnectionRow | undefined> {
  return yield* one<SlidingConnectionRow>(
    'SELECT * FROM sliding_connections WHERE user_id = ? AND device_id = ? AND conn_id = ?',
    userId,
    deviceId,
    connId,
  )
}

/** Post: the row exists, with these values; no other connection of the device has its id. Gives its nid. */
export function* putSlidingConnection(row: Omit<SlidingConnectionRow, 'nid'>): Tx<number> {
  const made = yield* one<{ nid: number }>(
    `INSERT INTO sliding_connections (user_id, device_id, conn_id, base, last_seq, meta, used_ts) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (user_id, device_id, conn_id) DO UPDATE SET base = excluded.base, last_seq = excluded.last_seq,
       meta = excluded.meta, used_ts = excluded.used_ts
     RETURNING nid`,
    row.user_id,
    row.device_id,
    row.conn_id,
    row.base,
    row.last_seq,
    row.meta,
    row.used_ts,
  )
  return made!.nid
}

/** Post: the connection's base is another, which the caller writes in the same body. */
export function* moveSlidingBase(conn: number, base: number, meta: string): Tx<void> {
  yield* run('UPDATE sliding_connections SET base = ?, meta = ? WHERE nid = ?', base, meta, conn)
}

/** Post: `last_seq` is one more, and no other transaction changes the connection before this one ends. Gives it; undefined for none. */
export function* nextSlidingState(
  userId: string,
  deviceId: string,
  connId: string,
  usedTs: number,
): Tx<SlidingConnectionRow | undefined> {
  return yield* one<SlidingConnectionRow>(
    `UPDATE sliding_connections SET last_seq = last_seq + 1, used_ts = ?
     WHERE user_id = ? AND device_id = ? AND conn_id = ? RETURNING *`,
    usedTs,
    userId,
    deviceId,
    connId,
  )
}

export function* markSlidingConnectionUsed(
  userId: string,
  deviceId: string,
  connId: string,
  usedTs: number,
): Tx<void> {
  yield* run(
    'UPDATE sliding_connections SET used_ts = ? WHERE user_id = ? AND device_id = ? AND conn_id = ?',
    usedTs,
    userId,
    deviceId,
    connId,
  )
}

export function* slidingRooms(
  conn: number,
): Tx<readonly { readonly room_nid: number; readonly state: string }[]> {
  return yield* all('SELECT room_nid, state FROM sliding_rooms WHERE conn = ?', conn)
}

/** Post: these rooms have these states; those with null have none. */
export function* putSlidingRooms(
  conn: number,
  rooms: readonly (readonly [nid: number, state: string | null])[],
): Tx<void> {
  yield* many(
    `INSERT INTO sliding_rooms (conn, room_nid, state) VALUES (?, ?, ?)
     ON CONFLICT (conn, room_nid) DO UPDATE SET state = excluded.state`,
    rooms.flatMap(([nid, state]) => (state === null ? [] : [[conn, nid, state]])),
  )
  const gone = rooms.flatMap(([nid, state]) => (state === null ? nid : []))
  if (gone.length > 0) yield* run('DELETE FROM sliding_rooms WHERE conn = ? AND room_nid IN (??)', conn, gone)
}

export function* slidingChange(conn: number, seq: number): Tx<string | undefined> {
  const row = yield* one<{ change: string }>(
    'SELECT change FROM sliding_changes WHERE conn = ? AND seq = ?',
    conn,
    seq,
  )
  return row?.change
}

/** Post: the change waits to be acknowledged, with the `kept` latest of the others. */
export function* insertSlidingChange(conn: number, seq: number, change: string, kept: number): Tx<void> {
  yield* run('INSERT INTO sliding_changes (conn, seq, change) VALUES (?, ?, ?)', conn, seq, change)
  yield* run(
    `DELETE FROM sliding_changes WHERE conn = ? AND seq <= COALESCE(
       (SELECT seq FROM sliding_changes WHERE conn = ? ORDER BY seq DESC LIMIT 1 OFFSET ?), -1)`,
    conn,
    conn,
    kept + 1,
  )
}

export function* deleteSlidingChanges(conn: number): Tx<void> {
  yield* run('DELETE FROM sliding_changes WHERE conn = ?', conn)
}

/** Post: nothing was told on the connection; its row stays. */
export function* clearSlidingConnection(conn: number): Tx<void> {
  yield* deleteSlidingChanges(conn)
  yield* run('DELETE FROM sliding_rooms WHERE conn = ?', conn)
}

function* deleteConnections(rows: readonly { readonly nid: number }[]): Tx<number> {
  if (rows.length === 0) return 0
  const nids = rows.map((row) => row.nid)
  yield* run('DELETE FROM sliding_changes WHERE conn IN (??)', nids)
  yield* run('DELETE FROM sliding_rooms WHERE conn IN (??)', nids)
  yield* run('DELETE FROM sliding_connections WHERE nid IN (??)', nids)
  return nids.length
}

/** Post: of the device's connections only the `kept` that were used last are left. */
export function* boundSlidingConnections(userId: string, deviceId: string, kept: number): Tx<void> {
  yield* deleteConnections(
    yield* all<{ nid: number }>(
      `SELECT nid FROM sliding_connections WHERE user_id = ? AND device_id = ?
       ORDER BY used_ts DESC, last_seq DESC, nid DESC LIMIT 1000 OFFSET ?`,
      userId,
      deviceId,
      kept,
    ),
  )
}

/** For the transaction that deletes devices. */
export function* deleteSlidingConnectionsOf(userId: string, deviceIds: readonly string[]): Tx<void> {
  yield* deleteConnections(
    yield* all<{ nid: number }>(
      'SELECT nid FROM sliding_connections WHERE user_id = ? AND device_id IN (??)',
      userId,
      deviceIds,
    ),
  )
}

/** Post: at most `limit` connections that were not used since `before` are gone. Gives how many. */
export function* deleteUnusedSlidingConnections(before: number, limit: number): Tx<number> {
  return yield* deleteConnections(
    yield* all<{ nid: number }>(
      'SELECT nid FROM sliding_connections WHERE used_ts < ? ORDER BY used_ts LIMIT ?',
      before,
      limit,
    ),
  )
}
