import { all, type Tx } from '../tx.js'

/** Queries that tell who may see a room that they are not in. */

export interface StandingRow {
  readonly room_id: string
  readonly membership: string
  /** Who sent the membership; the inviter. */
  readonly sender: string
}

/** Where a user stands in rooms; those that they have left, or never were in, are absent. */
export function* standingsOf(userId: string): Tx<readonly StandingRow[]> {
  return yield* all<StandingRow>(
    `SELECT r.room_id, m.membership, m.sender FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND m.membership IN ('join', 'invite', 'knock', 'ban')`,
    userId,
  )
}

/** Whether a user of that other server is invited to the room. */
export function* isServerInvited(roomNid: number, server: string): Tx<boolean> {
  const rows = yield* all(
    `SELECT 1 FROM memberships WHERE room_nid = ? AND local = 0 AND membership = 'invite' AND server = ? LIMIT 1`,
    roomNid,
    server,
  )
  return rows.length > 0
}
