import { run, type Tx } from '../tx.js'
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

/** Post: users of other servers whose membership was last written before `pos` are in the room no more. */
export function* leaveRemoteMembersBefore(roomNid: number, pos: number): Tx<void> {
  yield* run(
    `UPDATE memberships SET membership = 'leave', event_nid = NULL
     WHERE room_nid = ? AND local = 0 AND pos < ? AND membership <> 'leave'`,
    roomNid,
    pos,
  )
}
