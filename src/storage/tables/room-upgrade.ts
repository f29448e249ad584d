import { all, run, runChanges, type Tx } from '../tx.js'

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
  const moved = yield* runChanges('UPDATE rooms SET published = 0 WHERE nid = ? AND published = 1', fromNid)
  if (moved === 1) yield* runChanges('UPDATE rooms SET published = 1 WHERE nid = ?', toNid)
}

/** An upgrade that is under way, or that a process left behind. */
export interface RoomUpgradeRow {
  readonly room_id: string
  readonly successor: string
  readonly upgrader: string
  /** JSON. */
  readonly creators: string
  /** JSON. */
  readonly tombstone: string
}

export function* putRoomUpgrade(row: RoomUpgradeRow): Tx<void> {
  yield* run(
    `INSERT INTO room_upgrades (room_id, successor, upgrader, creators, tombstone) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (room_id) DO UPDATE SET successor = excluded.successor, upgrader = excluded.upgrader,
       creators = excluded.creators, tombstone = excluded.tombstone`,
    row.room_id,
    row.successor,
    row.upgrader,
    row.creators,
    row.tombstone,
  )
}

export function* roomUpgrades(limit: number): Tx<readonly RoomUpgradeRow[]> {
  return yield* all<RoomUpgradeRow>(
    'SELECT room_id, successor, upgrader, creators, tombstone FROM room_upgrades ORDER BY room_id LIMIT ?',
    limit,
  )
}

export function* deleteRoomUpgrade(roomId: string): Tx<void> {
  yield* run('DELETE FROM room_upgrades WHERE room_id = ?', roomId)
}
