import { all, many, one, run, type Tx } from '../tx.js'

/** Rows kept for each user: enough to answer for token pairs of the recent past. */
const KEPT = 10

/** Pre: `pos` was allocated in this body. Post: /sync of those who share a room with the user tells of them. */
export function* insertDeviceListChange(userId: string, pos: number): Tx<void> {
  yield* run(
    'INSERT INTO device_list_changes (user_id, pos) VALUES (?, ?) ON CONFLICT DO NOTHING',
    userId,
    pos,
  )
  yield* run(
    `DELETE FROM device_list_changes WHERE user_id = ? AND pos <= (
       SELECT o.pos FROM device_list_changes o WHERE o.user_id = ? ORDER BY o.pos DESC LIMIT 1 OFFSET ${KEPT})`,
    userId,
    userId,
  )
}

/** The latest change of a user's list: its stream id towards other servers. */
export function* lastDeviceListChange(userId: string): Tx<number | undefined> {
  const row = yield* one<{ pos: number | null }>(
    'SELECT MAX(pos) AS pos FROM device_list_changes WHERE user_id = ?',
    userId,
  )
  return row?.pos ?? undefined
}

/** Users whose list changed after `from`, up to and with `to`. */
export function* deviceListChangesBetween(from: number, to: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    'SELECT DISTINCT user_id FROM device_list_changes WHERE pos > ? AND pos <= ?',
    from,
    to,
  )
  return rows.map((row) => row.user_id)
}

/** Post: the next /sync of `userId` alone tells of `targets`. */
export function* insertUserSignatureChanges(
  userId: string,
  targets: readonly string[],
  pos: number,
): Tx<void> {
  yield* many(
    `INSERT INTO user_signature_changes (user_id, target, pos) VALUES (?, ?, ?)
     ON CONFLICT (user_id, target) DO UPDATE SET pos = excluded.pos`,
    targets.map((target) => [userId, target, pos]),
  )
}

export function* userSignatureChangesBetween(
  userId: string,
  from: number,
  to: number,
): Tx<readonly string[]> {
  const rows = yield* all<{ target: string }>(
    'SELECT target FROM user_signature_changes WHERE user_id = ? AND pos > ? AND pos <= ?',
    userId,
    from,
    to,
  )
  return rows.map((row) => row.target)
}

/** A change of somebody's membership, as events; null where there was or is no member event. */
export interface MemberDelta {
  readonly pos: number
  readonly room_nid: number
  readonly user_id: string
  /** JSON of the member event before and after. */
  readonly before: string | null
  readonly after: string | null
}

const DELTA = `d.pos, d.room_nid, d.state_key AS user_id, p.json AS before, e.json AS after`
const DELTA_EVENTS = 'LEFT JOIN events p ON p.nid = d.prev_nid LEFT JOIN events e ON e.nid = d.event_nid'
const IN_RANGE = `d.type = 'm.room.member' AND d.pos > ? AND d.pos <= ?`

/** Member changes within these positions, by room and position, in rooms that `userId` has joined; of others alone. */
export function* memberDeltasInRoomsOf(
  userId: string,
  from: number,
  to: number,
  limit: number,
): Tx<readonly MemberDelta[]> {
  // CROSS JOIN tells SQLite which table comes first: for a short range the deltas, for a long one the user's rooms.
  const source =
    to - from <= 2_000 ? 'state_deltas d CROSS JOIN memberships m' : 'memberships m CROSS JOIN state_deltas d'
  return yield* all<MemberDelta>(
    `SELECT ${DELTA} FROM (
       SELECT d.pos, d.room_nid, d.state_key, d.prev_nid, d.event_nid FROM ${source}
       WHERE m.room_nid = d.room_nid AND m.user_id = ? AND m.membership = 'join' AND ${IN_RANGE} AND d.state_key <> ?
       ORDER BY d.pos LIMIT ?) d ${DELTA_EVENTS} ORDER BY d.room_nid, d.pos`,
    userId,
    from,
    to,
    userId,
    limit,
  )
}

/** Rooms in which the user's own membership is of a position after `from`. */
export function* roomsWithOwnChange(
  userId: string,
  from: number,
): Tx<readonly { readonly room_nid: number; readonly membership: string; readonly pos: number }[]> {
  return yield* all(
    'SELECT room_nid, membership, pos FROM memberships WHERE user_id = ? AND pos > ?',
    userId,
    from,
  )
}

/** Rooms that the user is in and whose members became known within these positions. */
export function* roomsWholeBetween(userId: string, from: number, to: number): Tx<readonly number[]> {
  const rows = yield* all<{ nid: number }>(
    `SELECT r.nid FROM rooms r CROSS JOIN memberships m
     WHERE r.whole_pos > 0 AND r.whole_pos > ? AND r.whole_pos <= ? AND m.room_nid = r.nid AND m.user_id = ? AND m.membership = 'join'`,
    from,
    to,
    userId,
  )
  return rows.map((row) => row.nid)
}

/** The user's own member changes in these rooms within these positions, by room and position. */
export function* ownMemberDeltas(
  userId: string,
  roomNids: readonly number[],
  from: number,
  to: number,
): Tx<readonly MemberDelta[]> {
  if (roomNids.length === 0) return []
  return yield* all<MemberDelta>(
    `SELECT ${DELTA} FROM state_deltas d ${DELTA_EVENTS}
     WHERE d.room_nid IN (??) AND ${IN_RANGE} AND d.state_key = ? ORDER BY d.room_nid, d.pos`,
    roomNids,
    from,
    to,
    userId,
  )
}

/** Users who have joined one of these rooms. */
export function* joinedUsersOf(roomNids: readonly number[]): Tx<readonly string[]> {
  if (roomNids.length === 0) return []
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT user_id FROM memberships WHERE room_nid IN (??) AND membership = 'join'`,
    roomNids,
  )
  return rows.map((row) => row.user_id)
}

/** Users whose membership of one of these rooms changed within these positions, whatever it is now. */
export function* usersWithDeltaIn(
  roomNids: readonly number[],
  from: number,
  to: number,
): Tx<readonly string[]> {
  if (roomNids.length === 0) return []
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT d.state_key AS user_id FROM state_deltas d WHERE d.room_nid IN (??) AND ${IN_RANGE}`,
    roomNids,
    from,
    to,
  )
  return rows.map((row) => row.user_id)
}

export function* joinedRoomNids(userId: string): Tx<readonly number[]> {
  const rows = yield* all<{ room_nid: number }>(
    `SELECT room_nid FROM memberships WHERE user_id = ? AND membership = 'join'`,
    userId,
  )
  return rows.map((row) => row.room_nid)
}

/**
 * Of `candidates`, those who have joined a room that `userId` has joined. For many candidates: each costs a few look-ups,
 * however many rooms the user has.
 */
export function* sharingAmongMany(userId: string, candidates: readonly string[]): Tx<readonly string[]> {
  if (candidates.length === 0) return []
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT o.user_id FROM memberships o WHERE o.user_id IN (??) AND o.membership = 'join' AND EXISTS (
       SELECT 1 FROM memberships m WHERE m.room_nid = o.room_nid AND m.user_id = ? AND m.membership = 'join')`,
    candidates,
    userId,
  )
  return rows.map((row) => row.user_id)
}

/** Local users who have joined a room that one of `userIds` has joined too. */
export function* localUsersSharingWithAny(userIds: readonly string[]): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT DISTINCT o.user_id FROM (
       SELECT DISTINCT room_nid FROM memberships WHERE user_id IN (??) AND membership = 'join') r
     JOIN memberships o ON o.room_nid = r.room_nid AND o.local = 1 AND o.membership = 'join'`,
    userIds,
  )
  return rows.map((row) => row.user_id)
}
