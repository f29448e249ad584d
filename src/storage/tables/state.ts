import { all, many, manyChanges, one, type Tx } from '../tx.js'

export interface StateKeyRow {
  readonly nid: number
  readonly type: string
  readonly state_key: string
}

export function* stateKeysByNids(nids: readonly number[]): Tx<readonly StateKeyRow[]> {
  return yield* all<StateKeyRow>('SELECT * FROM state_keys WHERE nid IN (??)', nids)
}

/** The rows of one event type for these state keys; those never seen are absent. */
export function* stateKeysOf(type: string, stateKeys: readonly string[]): Tx<readonly StateKeyRow[]> {
  return yield* all<StateKeyRow>(
    'SELECT * FROM state_keys WHERE type = ? AND state_key IN (??)',
    type,
    stateKeys,
  )
}

/** Post: every row exists; false when one of them was known by another nid. */
export function* insertStateKeys(rows: readonly StateKeyRow[]): Tx<boolean> {
  const changes = yield* manyChanges(
    'INSERT INTO state_keys (nid, type, state_key) VALUES (?, ?, ?) ON CONFLICT (type, state_key) DO NOTHING',
    rows.map((row) => [row.nid, row.type, row.state_key]),
  )
  if (changes === rows.length) return true
  const known = yield* stateKeysByNids(rows.map((row) => row.nid))
  return known.length === rows.length
}

export interface StateNodeRow {
  readonly hash: string
  readonly data: Uint8Array
}

export function* stateNodes(roomNid: number, hashes: readonly string[]): Tx<readonly StateNodeRow[]> {
  return yield* all<StateNodeRow>(
    'SELECT hash, data FROM state_nodes WHERE room_nid = ? AND hash IN (??)',
    roomNid,
    hashes,
  )
}

export function* insertStateNodes(roomNid: number, nodes: readonly StateNodeRow[]): Tx<void> {
  yield* many(
    'INSERT INTO state_nodes (room_nid, hash, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    nodes.map((node) => [roomNid, node.hash, node.data]),
  )
}

export interface StateDeltaRow {
  readonly pos: number
  readonly room_nid: number
  readonly type: string
  readonly state_key: string
  readonly event_nid: number | null
  readonly prev_nid: number | null
}

export function* insertStateDeltas(rows: readonly StateDeltaRow[]): Tx<void> {
  yield* many(
    `INSERT INTO state_deltas (pos, room_nid, type, state_key, event_nid, prev_nid) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, pos, type, state_key) DO UPDATE SET event_nid = excluded.event_nid`,
    rows.map((row) => [row.pos, row.room_nid, row.type, row.state_key, row.event_nid, row.prev_nid]),
  )
}

/** Changes of a room's current state in (from, to], oldest first. */
export function* stateDeltas(roomNid: number, from: number, to: number): Tx<readonly StateDeltaRow[]> {
  return yield* all<StateDeltaRow>(
    'SELECT * FROM state_deltas WHERE room_nid = ? AND pos > ? AND pos <= ? ORDER BY pos',
    roomNid,
    from,
    to,
  )
}

/** Changes of one key of a room's current state up to a position, newest first. */
export function* stateDeltasOfKey(
  roomNid: number,
  type: string,
  stateKey: string,
  to: number,
  limit: number,
): Tx<readonly StateDeltaRow[]> {
  return yield* all<StateDeltaRow>(
    `SELECT * FROM state_deltas WHERE room_nid = ? AND type = ? AND state_key = ? AND pos <= ?
     ORDER BY pos DESC LIMIT ?`,
    roomNid,
    type,
    stateKey,
    to,
    limit,
  )
}

/** The first change of one key after a position; undefined for none. */
export function* nextStateDelta(
  roomNid: number,
  type: string,
  stateKey: string,
  after: number,
): Tx<StateDeltaRow | undefined> {
  return yield* one<StateDeltaRow>(
    `SELECT * FROM state_deltas WHERE room_nid = ? AND type = ? AND state_key = ? AND pos > ?
     ORDER BY pos LIMIT 1`,
    roomNid,
    type,
    stateKey,
    after,
  )
}

/**
 * State keys of a type that a room's state has ever had, where this server knows all its changes; undefined for a room that came
 * here as a whole, from another server.
 */
export function* stateKeysEverOf(
  roomNid: number,
  types: readonly string[],
): Tx<readonly { readonly type: string; readonly state_key: string }[] | undefined> {
  const rows = yield* all<{ type: string; state_key: string }>(
    'SELECT DISTINCT type, state_key FROM state_deltas WHERE room_nid = ? AND type IN (??)',
    roomNid,
    [...types, 'm.room.create'],
  )
  return rows.some((row) => row.type === 'm.room.create') ? rows : undefined
}
