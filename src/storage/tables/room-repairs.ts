import { all, one, run, runChanges, type Tx } from '../tx.js'

/** A room that is to be compared with what other servers have. */
export interface RoomRepair {
  readonly room_nid: number
  readonly room_id: string
  /** The server whose word was taken for it; empty: everybody is asked. */
  readonly via: string
  readonly attempts: number
}

/** Post: the room is due at `due`, in milliseconds, as if it had never been tried. */
export function* scheduleRepair(roomNid: number, via: string, due: number): Tx<void> {
  yield* run(
    `INSERT INTO room_repairs (room_nid, via, attempts, due) VALUES (?, ?, 0, ?)
     ON CONFLICT (room_nid) DO UPDATE SET via = excluded.via, attempts = 0, due = excluded.due`,
    roomNid,
    via,
    due,
  )
}

/** The same for all rooms that users of this server share with others. Gives how many. */
export function* scheduleAllRepairs(due: number): Tx<number> {
  return yield* runChanges(
    `INSERT INTO room_repairs (room_nid, via, attempts, due)
     SELECT r.nid, '', 0, CAST(? AS BIGINT) FROM rooms r
     WHERE EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = r.nid AND m.local = 1 AND m.membership = 'join')
       AND EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = r.nid AND m.local = 0 AND m.membership = 'join')
     ON CONFLICT (room_nid) DO UPDATE SET via = excluded.via, attempts = 0, due = excluded.due`,
    due,
  )
}

/** Those that are due first. */
export function* dueRepairs(now: number, limit: number): Tx<readonly RoomRepair[]> {
  return yield* all<RoomRepair>(
    `SELECT p.room_nid, r.room_id, p.via, p.attempts FROM room_repairs p JOIN rooms r ON r.nid = p.room_nid
     WHERE p.due <= ? ORDER BY p.due, p.room_nid LIMIT ?`,
    now,
    limit,
  )
}

/** When the next one is due; undefined where there is none. */
export function* nextRepairAt(): Tx<number | undefined> {
  const row = yield* one<{ at: number | null }>(
    'SELECT MIN(p.due) AS at FROM room_repairs p JOIN rooms r ON r.nid = p.room_nid',
  )
  return row?.at ?? undefined
}

/** One more attempt was in vain. */
export function* postponeRepair(roomNid: number, due: number): Tx<void> {
  yield* run('UPDATE room_repairs SET attempts = attempts + 1, due = ? WHERE room_nid = ?', due, roomNid)
}

export function* deleteRepair(roomNid: number): Tx<void> {
  yield* run('DELETE FROM room_repairs WHERE room_nid = ?', roomNid)
}
