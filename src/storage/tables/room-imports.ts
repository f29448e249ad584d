import { all, many, run, runChanges, type Tx } from '../tx.js'
import type { MembershipRow } from './memberships.js'
import { insertRoom, roomById, type RoomRow } from './rooms.js'

/**
 * Post: the room has a row. One whose state is not known here takes the given version: what an invite said of it was
 * nobody's proof. Gives the row as it is then.
 */
export function* roomForImport(nid: number, roomId: string, version: string): Tx<RoomRow> {
  yield* insertRoom({
    nid,
    room_id: roomId,
    version,
    rev: 1,
    state_root: null,
    heads: '[]',
    last_pos: 0,
    published: 0,
  })
  yield* run(
    'UPDATE rooms SET version = ?, rev = rev + 1 WHERE room_id = ? AND state_root IS NULL AND version <> ?',
    version,
    roomId,
    version,
  )
  return (yield* roomById(roomId))!
}

/** Post: users of other servers whose membership was last written before `pos` are in the room no more; of them nothing is known. */
export function* leaveRemoteMembersBefore(roomNid: number, pos: number): Tx<void> {
  yield* run(
    `UPDATE memberships SET membership = 'leave', event_nid = NULL
     WHERE room_nid = ? AND local = 0 AND pos < ? AND (membership <> 'leave' OR event_nid IS NOT NULL)`,
    roomNid,
    pos,
  )
}

/** Post: users of other servers of whom nothing is known in the room have these memberships. */
export function* upsertUnknownMembers(rows: readonly MembershipRow[]): Tx<void> {
  yield* many(
    `INSERT INTO memberships (room_nid, user_id, membership, event_nid, sender, pos, server, local, forgotten, stripped_state)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, NULL)
     ON CONFLICT (room_nid, user_id) DO UPDATE SET membership = excluded.membership, event_nid = excluded.event_nid,
       sender = excluded.sender, pos = excluded.pos WHERE memberships.local = 0 AND memberships.event_nid IS NULL`,
    rows.map((row) => [
      row.room_nid,
      row.user_id,
      row.membership,
      row.event_nid,
      row.sender,
      row.pos,
      row.server,
    ]),
  )
}

/** Of an event `e`: it is no invitation of a local user. */
const NOT_NAMED =
  'NOT EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = e.room_nid AND m.local = 1 AND m.event_nid = e.nid)'

/** Rooms that nobody here is in and of which a join has left something behind. */
export function* abandonedImports(
  limit: number,
): Tx<readonly { readonly nid: number; readonly room_id: string }[]> {
  return yield* all(
    `SELECT r.nid, r.room_id FROM rooms r WHERE r.state_root IS NULL AND (
       EXISTS (SELECT 1 FROM events e WHERE e.room_nid = r.nid AND e.outlier = 1 AND ${NOT_NAMED})
       OR EXISTS (SELECT 1 FROM state_nodes n WHERE n.room_nid = r.nid)
       OR EXISTS (SELECT 1 FROM memberships m WHERE m.room_nid = r.nid AND m.local = 0))
     ORDER BY r.nid LIMIT ?`,
    limit,
  )
}

const STILL_UNSEEN = 'EXISTS (SELECT 1 FROM rooms r WHERE r.nid = ? AND r.state_root IS NULL)'

/** Deletes outliers of a room without a state that no membership of a local user names; gives how many. */
export function* deleteImportedEvents(roomNid: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM events WHERE ${STILL_UNSEEN} AND nid IN (
       SELECT e.nid FROM events e WHERE e.room_nid = ? AND e.outlier = 1
         AND ${NOT_NAMED}
       LIMIT ?)`,
    roomNid,
    roomNid,
    limit,
  )
}

/** Deletes state of a room that has none now; gives how many nodes. */
export function* deleteImportedState(roomNid: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM state_nodes WHERE ${STILL_UNSEEN} AND room_nid = ? AND hash IN (
       SELECT hash FROM state_nodes WHERE room_nid = ? LIMIT ?)`,
    roomNid,
    roomNid,
    roomNid,
    limit,
  )
}

/** Deletes what a room without a state is said to have of other servers' users; gives how many. */
export function* deleteImportedMembers(roomNid: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM memberships WHERE ${STILL_UNSEEN} AND room_nid = ? AND local = 0 AND user_id IN (
       SELECT user_id FROM memberships WHERE room_nid = ? AND local = 0 LIMIT ?)`,
    roomNid,
    roomNid,
    roomNid,
    limit,
  )
}
