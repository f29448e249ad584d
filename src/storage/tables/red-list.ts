import { all, type Tx } from '../tx.js'

/** Whether both users have joined one room. */
export function* sharesRoomWith(userId: string, other: string): Tx<boolean> {
  const rows = yield* all(
    `SELECT 1 FROM memberships m
     JOIN memberships o ON o.room_nid = m.room_nid AND o.user_id = ? AND o.membership = 'join'
     WHERE m.user_id = ? AND m.membership = 'join' LIMIT 1`,
    other,
    userId,
  )
  return rows.length > 0
}

/** Whether somebody of the server has joined a room that the user has joined. */
export function* sharesRoomWithServer(userId: string, server: string): Tx<boolean> {
  const rows = yield* all(
    `SELECT 1 FROM memberships m
     JOIN memberships o ON o.room_nid = m.room_nid AND o.server = ? AND o.membership = 'join'
     WHERE m.user_id = ? AND m.membership = 'join' LIMIT 1`,
    server,
    userId,
  )
  return rows.length > 0
}
