import { all, type Tx } from '../tx.js'

/** Who is to learn of whose presence. */

/** The rooms that some of these users have joined. Pre: at most a few hundred users. */
export function* roomsJoinedBy(userIds: readonly string[]): Tx<readonly number[]> {
  const rows = yield* all<{ room_nid: number }>(
    `SELECT DISTINCT room_nid FROM memberships WHERE user_id IN (??) AND membership = 'join'`,
    userIds,
  )
  return rows.map((row) => row.room_nid)
}

/** Those of these users who have joined a room that `viewer` has joined. Pre: at most a few hundred users. */
export function* sharingRoomsWith(viewer: string, userIds: readonly string[]): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM memberships WHERE user_id IN (??) AND membership = 'join' AND room_nid IN (
       SELECT room_nid FROM memberships WHERE user_id = ? AND membership = 'join')`,
    userIds,
    viewer,
  )
  return rows.map((row) => row.user_id)
}

/** Those of these users who are in some room. Pre: at most a few hundred users. */
export function* inSomeRoom(userIds: readonly string[]): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM memberships WHERE user_id IN (??) AND membership = 'join'`,
    userIds,
  )
  return rows.map((row) => row.user_id)
}
