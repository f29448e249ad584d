import { all, one, type Tx } from '../tx.js'

/** A room that this server has the state of, as administrators list it. */
export interface ListedRoom {
  readonly nid: number
  readonly room_id: string
  readonly version: string
  readonly state_root: string
  readonly published: number
}

/** The next rooms after a nid, in the order of nids. */
export function* roomsAfter(nid: number, limit: number): Tx<readonly ListedRoom[]> {
  return yield* all<ListedRoom>(
    `SELECT nid, room_id, version, state_root, published FROM rooms
     WHERE nid > ? AND state_root IS NOT NULL ORDER BY nid LIMIT ?`,
    nid,
    limit,
  )
}

/** Who has joined some rooms, counted; rooms that nobody is in are missing. Pre: at most a few hundred rooms. */
export function* joinedCounts(
  nids: readonly number[],
): Tx<readonly { readonly room_nid: number; readonly local: number; readonly n: number }[]> {
  if (nids.length === 0) return []
  return yield* all(
    `SELECT room_nid, local, COUNT(*) AS n FROM memberships
     WHERE room_nid IN (??) AND membership = 'join' GROUP BY room_nid, local`,
    nids,
  )
}

/** Everybody who has joined, by id. */
export function* joinedMembers(roomNid: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership = 'join' ORDER BY user_id`,
    roomNid,
  )
  return rows.map((row) => row.user_id)
}

/** Devices of local users who have joined. */
export function* countLocalDevices(roomNid: number): Tx<number> {
  const row = yield* one<{ n: number }>(
    `SELECT COUNT(*) AS n FROM memberships m JOIN devices d ON d.user_id = m.user_id
     WHERE m.room_nid = ? AND m.local = 1 AND m.membership = 'join'`,
    roomNid,
  )
  return row!.n
}

/** Whether a local user has or had to do with the room and has not forgotten it. */
export function* isRemembered(roomNid: number): Tx<boolean> {
  const row = yield* one(
    'SELECT 1 AS found FROM memberships WHERE room_nid = ? AND local = 1 AND forgotten = 0 LIMIT 1',
    roomNid,
  )
  return row !== undefined
}

/** Which other servers have somebody in some rooms. Pre: at most a few hundred rooms. */
export function* serversOfRooms(
  nids: readonly number[],
): Tx<readonly { readonly room_id: string; readonly server: string }[]> {
  if (nids.length === 0) return []
  return yield* all(
    `SELECT DISTINCT r.room_id, m.server FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.room_nid IN (??) AND m.local = 0 AND m.membership = 'join'`,
    nids,
  )
}
