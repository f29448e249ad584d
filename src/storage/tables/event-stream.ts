import { all, type Tx } from '../tx.js'

/** An event in the live stream. */
export interface StreamRow {
  readonly nid: number
  readonly pos: number
}

/**
 * What came in (from, to] into the rooms that a user is in, and into those that they left, were invited to or knock at since, up to that
 * change; oldest first.
 */
export function* userStream(
  userId: string,
  from: number,
  to: number,
  limit: number,
): Tx<readonly StreamRow[]> {
  return yield* all<StreamRow>(
    `SELECT e.nid, e.pos FROM memberships m
     JOIN events e ON e.room_nid = m.room_nid AND e.pos > ? AND e.pos <= ? AND e.soft_failed = 0
     WHERE m.user_id = ? AND m.forgotten = 0 AND (m.membership = 'join' OR (m.pos > ? AND e.pos <= m.pos))
     ORDER BY e.pos LIMIT ?`,
    from,
    to,
    userId,
    from,
    limit,
  )
}

/** The same of one room. */
export function* roomStream(
  roomNid: number,
  from: number,
  to: number,
  limit: number,
): Tx<readonly StreamRow[]> {
  return yield* all<StreamRow>(
    `SELECT nid, pos FROM events WHERE room_nid = ? AND pos > ? AND pos <= ? AND soft_failed = 0
     ORDER BY pos LIMIT ?`,
    roomNid,
    from,
    to,
    limit,
  )
}
