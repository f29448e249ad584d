import { all, many, one, run, type Tx } from '../tx.js'

/** Queries over current memberships. A user's `local` is 1 when their server is this one. */
export interface MembershipRow {
  readonly room_nid: number
  readonly user_id: string
  readonly membership: string
  readonly event_nid: number | null
  readonly sender: string
  readonly pos: number
  readonly server: string
  readonly local: number
  readonly forgotten: number
  readonly stripped_state: string | null
}

export function* upsertMemberships(rows: readonly MembershipRow[]): Tx<void> {
  yield* many(
    `INSERT INTO memberships (room_nid, user_id, membership, event_nid, sender, pos, server, local, forgotten, stripped_state)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (room_nid, user_id) DO UPDATE SET membership = excluded.membership, event_nid = excluded.event_nid,
       sender = excluded.sender, pos = excluded.pos, forgotten = excluded.forgotten, stripped_state = excluded.stripped_state`,
    rows.map((row) => [
      row.room_nid,
      row.user_id,
      row.membership,
      row.event_nid,
      row.sender,
      row.pos,
      row.server,
      row.local,
      row.forgotten,
      row.stripped_state,
    ]),
  )
}

export function* membershipOf(roomNid: number, userId: string): Tx<MembershipRow | undefined> {
  return yield* one<MembershipRow>(
    'SELECT * FROM memberships WHERE room_nid = ? AND user_id = ?',
    roomNid,
    userId,
  )
}

/** Ids of the rooms that the user has joined. */
export function* joinedRoomIds(userId: string): Tx<readonly string[]> {
  const rows = yield* all<{ room_id: string }>(
    `SELECT r.room_id FROM memberships m JOIN rooms r ON r.nid = m.room_nid WHERE m.user_id = ? AND m.membership = 'join'`,
    userId,
  )
  return rows.map((row) => row.room_id)
}

/** Ids of the rooms that both users have joined, in order. */
export function* mutualRooms(userId: string, other: string): Tx<readonly string[]> {
  const rows = yield* all<{ room_id: string }>(
    `SELECT r.room_id FROM memberships m
     JOIN memberships o ON o.room_nid = m.room_nid AND o.user_id = ? AND o.membership = 'join'
     JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND m.membership = 'join' ORDER BY r.room_id`,
    other,
    userId,
  )
  return rows.map((row) => row.room_id)
}

/** Guests of this server who have joined the room. */
export function* joinedGuestsOf(roomNid: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id AND u.is_guest = 1
     WHERE m.room_nid = ? AND m.local = 1 AND m.membership = 'join'`,
    roomNid,
  )
  return rows.map((row) => row.user_id)
}

/** The same of all rooms. */
export function* joinedGuests(): Tx<readonly { readonly room_id: string; readonly user_id: string }[]> {
  return yield* all<{ room_id: string; user_id: string }>(
    `SELECT r.room_id, m.user_id FROM users u JOIN memberships m ON m.user_id = u.user_id AND m.membership = 'join'
     JOIN rooms r ON r.nid = m.room_nid WHERE u.is_guest = 1 AND u.deactivated = 0 ORDER BY r.room_id`,
  )
}

/** Other servers with a joined user in a room that `userId` has joined; of a partial room, those that were in it. */
export function* serversSharingRoomsWith(userId: string): Tx<readonly string[]> {
  const rows = yield* all<{ server: string }>(
    `SELECT DISTINCT o.server FROM memberships m
     JOIN memberships o ON o.room_nid = m.room_nid AND o.local = 0 AND o.membership = 'join'
     WHERE m.user_id = ? AND m.membership = 'join'
     UNION SELECT s.server FROM memberships m JOIN partial_room_servers s ON s.room_nid = m.room_nid
     WHERE m.user_id = ? AND m.membership = 'join'`,
    userId,
    userId,
  )
  return rows.map((row) => row.server)
}

/** The local users of a room with this membership. */
export function* localMembers(roomNid: number, membership: string): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    'SELECT user_id FROM memberships WHERE room_nid = ? AND local = 1 AND membership = ?',
    roomNid,
    membership,
  )
  return rows.map((row) => row.user_id)
}

/** Nids of the events by which the members of a room have joined. */
export function* joinedEventNids(roomNid: number): Tx<readonly number[]> {
  const rows = yield* all<{ event_nid: number }>(
    `SELECT event_nid FROM memberships WHERE room_nid = ? AND membership = 'join' AND event_nid IS NOT NULL`,
    roomNid,
  )
  return rows.map((row) => row.event_nid)
}

/** A user's memberships of some kinds, of rooms that they have not forgotten. */
export function* ownMemberships(
  userId: string,
  memberships: readonly string[],
): Tx<readonly (MembershipRow & { readonly room_id: string; readonly published: number })[]> {
  return yield* all(
    `SELECT m.*, r.room_id, r.published FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND m.forgotten = 0 AND m.membership IN (??)`,
    userId,
    memberships,
  )
}

/** Every membership that a user has or had, by room. */
export function* membershipsOfUser(
  userId: string,
): Tx<readonly { readonly room_id: string; readonly membership: string }[]> {
  return yield* all(
    `SELECT r.room_id, m.membership FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? ORDER BY r.room_id`,
    userId,
  )
}

/** Users of other servers who have joined a room, counted by server; those unknown in a partial room count as one of each server that was in it. */
export function* joinedServers(
  roomNid: number,
): Tx<readonly { readonly server: string; readonly users: number }[]> {
  return yield* all(
    `SELECT server, CAST(SUM(users) AS BIGINT) AS users FROM (
       SELECT server, COUNT(*) AS users FROM memberships WHERE room_nid = ? AND local = 0 AND membership = 'join' GROUP BY server
       UNION ALL SELECT server, 1 AS users FROM partial_room_servers WHERE room_nid = ?) counted GROUP BY server`,
    roomNid,
    roomNid,
  )
}

/** Ids of the rooms that the user is in, is invited to or knocks at. */
export function* openRoomIds(userId: string): Tx<readonly string[]> {
  const rows = yield* all<{ room_id: string }>(
    `SELECT r.room_id FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND m.membership IN ('join', 'invite', 'knock')`,
    userId,
  )
  return rows.map((row) => row.room_id)
}

export function* hasJoinedOneOf(userId: string, roomNids: readonly number[]): Tx<boolean> {
  const rows = yield* all(
    `SELECT 1 FROM memberships WHERE user_id = ? AND membership = 'join' AND room_nid IN (??) LIMIT 1`,
    userId,
    roomNids,
  )
  return rows.length > 0
}

/** Invites from outside that the user has not answered, at most `limit`. */
export function* unansweredInvites(
  userId: string,
  limit: number,
): Tx<readonly { readonly room_nid: number; readonly sender: string }[]> {
  return yield* all(
    `SELECT room_nid, sender FROM memberships
     WHERE user_id = ? AND membership = 'invite' AND event_nid IS NULL LIMIT ?`,
    userId,
    limit,
  )
}

/** Post: a room that the user has left shows up for them no more. */
export function* forgetMembership(roomNid: number, userId: string): Tx<void> {
  yield* run(
    `UPDATE memberships SET forgotten = 1 WHERE room_nid = ? AND user_id = ? AND membership IN ('leave', 'ban')`,
    roomNid,
    userId,
  )
}
