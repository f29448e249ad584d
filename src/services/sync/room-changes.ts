import type { MembershipRow } from '../../storage/tables/memberships.js'
import { all, one, type Tx } from '../../storage/tx.js'

/** A membership of the syncing user with what tells whether its room has news. */
export interface OwnRoom extends MembershipRow {
  readonly room_id: string
  readonly last_pos: number
  readonly state_root: string | null
}

/** Rooms that the user is in, is invited to or knocks at, and those that they left after `since`. */
export function* ownRooms(userId: string, since: number): Tx<readonly OwnRoom[]> {
  return yield* all<OwnRoom>(
    `SELECT m.*, r.room_id, r.last_pos, r.state_root FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND m.forgotten = 0 AND (m.membership IN ('join', 'invite', 'knock') OR m.pos > ?)`,
    userId,
    since,
  )
}

/** The event that was the user's membership at `since`, when it has changed since then; undefined when it has not. */
export function* memberEventAt(
  roomNid: number,
  userId: string,
  since: number,
): Tx<{ readonly prev_nid: number | null } | undefined> {
  return yield* one(
    `SELECT prev_nid FROM state_deltas
     WHERE room_nid = ? AND type = 'm.room.member' AND state_key = ? AND pos > ? ORDER BY pos LIMIT 1`,
    roomNid,
    userId,
    since,
  )
}

/** How many have joined and are invited, and a few of them for a name. */
export function* memberSummary(
  roomNid: number,
  userId: string,
): Tx<{ readonly joined: number; readonly invited: number; readonly heroes: readonly string[] }> {
  const counts = yield* all<{ membership: string; n: number }>(
    `SELECT membership, COUNT(*) AS n FROM memberships WHERE room_nid = ? AND membership IN ('join', 'invite') GROUP BY membership`,
    roomNid,
  )
  const count = (membership: string): number =>
    Number(counts.find((row) => row.membership === membership)?.n ?? 0)
  const present = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN ('join', 'invite') AND user_id <> ? ORDER BY pos, user_id LIMIT 5`,
    roomNid,
    userId,
  )
  let heroes = present
  if (heroes.length === 0) {
    heroes = yield* all<{ user_id: string }>(
      `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN ('leave', 'ban') AND user_id <> ? ORDER BY pos, user_id LIMIT 5`,
      roomNid,
      userId,
    )
  }
  return { joined: count('join'), invited: count('invite'), heroes: heroes.map((row) => row.user_id) }
}
