import { all, type Tx } from '../tx.js'
import type { MembershipRow } from './memberships.js'

/** A membership of the syncing user with what tells whether its room has news. */
export interface OwnRoom extends MembershipRow {
  readonly room_id: string
  readonly last_pos: number
  readonly state_root: string | null
}

const OWN_ROOMS = `SELECT m.*, r.room_id, r.last_pos, r.state_root FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND ((m.membership IN ('join', 'invite', 'knock') AND m.forgotten = 0)
       OR (m.pos > ? AND (m.forgotten = 0 OR ? > 0)))`

/**
 * Rooms that the user is in, is invited to or knocks at, and those that they left after `since`. Rooms that they have
 * forgotten too, unless `since` is 0: their other devices hear that they left.
 */
export function* ownRooms(userId: string, since: number): Tx<readonly OwnRoom[]> {
  return yield* all<OwnRoom>(OWN_ROOMS, userId, since, since)
}

/** Those of `ownRooms` with an event or a change of membership after `since`, and those named. */
export function* ownRoomsWithNews(
  userId: string,
  since: number,
  named: readonly number[],
): Tx<readonly OwnRoom[]> {
  return yield* all<OwnRoom>(
    `${OWN_ROOMS} AND (r.last_pos > ? OR m.pos > ? OR r.nid IN (??))`,
    userId,
    since,
    since,
    since,
    since,
    named,
  )
}

/** How many have joined and are invited. */
export function* memberCounts(roomNid: number): Tx<{ readonly joined: number; readonly invited: number }> {
  const counts = yield* all<{ membership: string; n: number }>(
    `SELECT membership, COUNT(*) AS n FROM memberships WHERE room_nid = ? AND membership IN ('join', 'invite') GROUP BY membership`,
    roomNid,
  )
  const count = (membership: string): number =>
    Number(counts.find((row) => row.membership === membership)?.n ?? 0)
  return { joined: count('join'), invited: count('invite') }
}

/** A few members to make a room's name of: those in it or invited, or else those who were. */
export function* heroesOf(roomNid: number, userId: string): Tx<readonly string[]> {
  const present = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN ('join', 'invite') AND user_id <> ? ORDER BY pos, user_id LIMIT 5`,
    roomNid,
    userId,
  )
  if (present.length > 0) return present.map((row) => row.user_id)
  const gone = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN ('leave', 'ban') AND user_id <> ? ORDER BY pos, user_id LIMIT 5`,
    roomNid,
    userId,
  )
  return gone.map((row) => row.user_id)
}
