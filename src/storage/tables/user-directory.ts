import { all, type Tx } from '../tx.js'

export interface PersonRow {
  readonly user_id: string
  /** The youngest of their member events in these rooms. */
  readonly json: string
  /** 1: they share a room with the searcher, and are not in public rooms alone. */
  readonly shares: number
}

/**
 * Those who share a room with the searcher, and those in public rooms, by user id from after `after` on. Costs by the
 * members of these rooms; only the rows of the answer have their events read.
 */
export function* peopleKnownTo(searcher: string, after: string, limit: number): Tx<readonly PersonRow[]> {
  return yield* all<PersonRow>(
    `SELECT p.user_id, p.shares, e.json FROM (
       SELECT o.user_id, MAX(o.event_nid) AS event_nid,
         MAX(CASE WHEN o.room_nid IN (SELECT s.room_nid FROM memberships s
           WHERE s.user_id = ? AND s.membership = 'join') THEN 1 ELSE 0 END) AS shares
       FROM memberships o
       WHERE o.user_id > ? AND o.membership = 'join' AND o.event_nid IS NOT NULL AND o.user_id <> ?
         AND o.room_nid IN (
           SELECT m.room_nid FROM memberships m WHERE m.user_id = ? AND m.membership = 'join'
           UNION SELECT r.nid FROM rooms r WHERE r.published = 1)
       GROUP BY o.user_id ORDER BY o.user_id LIMIT ?) p
     JOIN events e ON e.nid = p.event_nid
     ORDER BY p.user_id`,
    searcher,
    after,
    searcher,
    searcher,
    limit,
  )
}

export interface RoomNameRow {
  readonly user_id: string
  /** A member event. */
  readonly json: string
}

/**
 * The youngest member events, at most `each` of one person, in rooms that the searcher shares with them and in public ones: what a person
 * is called in other rooms is nobody else's business. Pre: at most a few hundred people.
 */
export function* roomNamesKnownTo(
  searcher: string,
  userIds: readonly string[],
  each: number,
): Tx<readonly RoomNameRow[]> {
  if (userIds.length === 0) return []
  return yield* all<RoomNameRow>(
    `SELECT p.user_id, e.json FROM (
       SELECT o.user_id, o.event_nid,
         ROW_NUMBER() OVER (PARTITION BY o.user_id ORDER BY o.event_nid DESC) AS place
       FROM memberships o
       WHERE o.user_id IN (??) AND o.membership = 'join' AND o.event_nid IS NOT NULL
         AND o.room_nid IN (
           SELECT m.room_nid FROM memberships m WHERE m.user_id = ? AND m.membership = 'join'
           UNION SELECT r.nid FROM rooms r WHERE r.published = 1)) p
     JOIN events e ON e.nid = p.event_nid
     WHERE p.place <= ?
     ORDER BY p.user_id, p.place`,
    userIds,
    searcher,
    each,
  )
}
