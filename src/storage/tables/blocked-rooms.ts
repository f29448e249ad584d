import { one, run, type Tx } from '../tx.js'

/** The administrator who has blocked the room; undefined where nobody has. */
export function* roomBlockedBy(roomId: string): Tx<string | undefined> {
  const row = yield* one<{ user_id: string }>('SELECT user_id FROM blocked_rooms WHERE room_id = ?', roomId)
  return row?.user_id
}

/** Post: the room is blocked; by whom it was first. */
export function* blockRoom(roomId: string, userId: string, ts: number): Tx<void> {
  yield* run(
    'INSERT INTO blocked_rooms (room_id, user_id, ts) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    roomId,
    userId,
    ts,
  )
}

export function* unblockRoom(roomId: string): Tx<void> {
  yield* run('DELETE FROM blocked_rooms WHERE room_id = ?', roomId)
}
