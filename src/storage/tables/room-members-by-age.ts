import { all, type Tx } from '../tx.js'

/** Who is in a room, those first whose membership event was stored first. */
export function* longestMembers(roomNid: number, limit: number): Tx<readonly string[]> {
  const rows = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership = 'join' AND event_nid IS NOT NULL
     ORDER BY event_nid LIMIT ?`,
    roomNid,
    limit,
  )
  return rows.map((row) => row.user_id)
}
