import { all, one, run, runChanges, type Tx } from '../tx.js'

export interface RoomRow {
  readonly nid: number
  readonly room_id: string
  readonly version: string
  /** Rises with every change of the row; a writer names the one that it read. */
  readonly rev: number
  /** The current state; null when this server is not in the room and knows no state of it. */
  readonly state_root: string | null
  /** Event nids of the forward extremities, a JSON array. */
  readonly heads: string
  /** Position of the latest event that clients see. */
  readonly last_pos: number
  readonly published: number
  /** 1: joined before its members were known, so that its state is provisional. */
  readonly partial: number
  /** The position since when it is whole; 0: it always was. */
  readonly whole_pos: number
}

export function* roomById(roomId: string): Tx<RoomRow | undefined> {
  return yield* one<RoomRow>('SELECT * FROM rooms WHERE room_id = ?', roomId)
}

export function* roomsByNids(nids: readonly number[]): Tx<readonly RoomRow[]> {
  return yield* all<RoomRow>('SELECT * FROM rooms WHERE nid IN (??)', nids)
}

/** Post: the row exists; false when the room was known already. */
export function* insertRoom(row: Omit<RoomRow, 'partial' | 'whole_pos'>): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO rooms (nid, room_id, version, rev, state_root, heads, last_pos, published)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room_id) DO NOTHING`,
    row.nid,
    row.room_id,
    row.version,
    row.rev,
    row.state_root,
    row.heads,
    row.last_pos,
    row.published,
  )
  return changes === 1
}

/**
 * Post: the row carries the new state if its `rev` was `expected`; false when somebody was faster. `arrivalDepth`: where this server has
 * just come into the room.
 */
export function* advanceRoom(
  row: Pick<RoomRow, 'nid' | 'version' | 'state_root' | 'heads' | 'last_pos'>,
  expected: number,
  arrivalDepth?: number,
): Tx<boolean> {
  const changes = yield* runChanges(
    `UPDATE rooms SET rev = rev + 1, version = ?, state_root = ?, heads = ?, last_pos = ?,
       arrival_depth = COALESCE(?, arrival_depth) WHERE nid = ? AND rev = ?`,
    row.version,
    row.state_root,
    row.heads,
    row.last_pos,
    arrivalDepth ?? null,
    row.nid,
    expected,
  )
  return changes === 1
}

export function* setPublished(nid: number, published: boolean): Tx<void> {
  yield* run('UPDATE rooms SET published = ? WHERE nid = ?', published ? 1 : 0, nid)
}

export function* publishedRooms(): Tx<readonly RoomRow[]> {
  return yield* all<RoomRow>('SELECT * FROM rooms WHERE published = 1 ORDER BY nid')
}
