import { all, run, type Tx } from '../tx.js'

/** What moves with a room that is replaced by another. */

/** Users who are banned, with the events that say so, by user id from after `after` on. */
export function* bansOf(
  roomNid: number,
  after: string,
  limit: number,
): Tx<readonly { readonly user_id: string; readonly event_nid: number }[]> {
  return yield* all(
    `SELECT user_id, event_nid FROM memberships
     WHERE room_nid = ? AND local IN (0, 1) AND membership = 'ban' AND event_nid IS NOT NULL AND user_id > ?
     ORDER BY user_id LIMIT ?`,
    roomNid,
    after,
    limit,
  )
}

/** Post: the aliases of this server that pointed to one room point to the other. */
export function* moveAliases(fromRoomId: string, toRoomId: string): Tx<void> {
  yield* run('UPDATE aliases SET room_id = ? WHERE room_id = ?', toRoomId, fromRoomId)
}

/** Post: the other room is on the public list in place of the one, if that was. */
export function* movePublication(fromNid: number, toNid: number): Tx<void> {
  const moved = yield* run('UPDATE rooms SET published = 0 WHERE nid = ? AND published = 1', fromNid)
  if (moved === 1) yield* run('UPDATE rooms SET published = 1 WHERE nid = ?', toNid)
}
