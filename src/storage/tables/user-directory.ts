import { all, type Tx } from '../tx.js'

export interface PersonRow {
  readonly user_id: string
  /** The youngest of their member events in these rooms. */
  readonly json: string
}

/**
 * Those who share a room with the searcher, and those in public rooms, by user id from after `after` on. Costs by the
 * members of these rooms; only the rows of the answer have their events read.
 */
export function* peopleKnownTo(searcher: string, after: string, limit: number): Tx<readonly PersonRow[]> {
  return yield* all<PersonRow>(
    `SELECT p.user_id, e.json FROM (
       SELECT o.user_id, MAX(o.event_nid) AS event_nid FROM memberships o
       WHERE o.user_id > ? AND o.membership = 'join' AND o.event_nid IS NOT NULL AND o.user_id <> ?
         AND o.room_nid IN (
           SELECT m.room_nid FROM memberships m WHERE m.user_id = ? AND m.membership = 'join'
           UNION SELECT r.nid FROM rooms r WHERE r.published = 1)
       GROUP BY o.user_id ORDER BY o.user_id LIMIT ?) p
     JOIN events e ON e.nid = p.event_nid
     ORDER BY p.user_id`,
    after,
    searcher,
    searcher,
    limit,
  )
}
