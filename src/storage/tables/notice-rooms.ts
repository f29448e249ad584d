import { one, run, type Tx } from '../tx.js'

/** The room in which the server tells a user what it has to tell. */
export function* noticeRoomOf(userId: string): Tx<string | undefined> {
  return (yield* one<{ room_id: string }>('SELECT room_id FROM notice_rooms WHERE user_id = ?', userId))
    ?.room_id
}

export function* setNoticeRoom(userId: string, roomId: string): Tx<void> {
  yield* run(
    'INSERT INTO notice_rooms (user_id, room_id) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id',
    userId,
    roomId,
  )
}
