import { all, type Tx } from '../tx.js'

/** What a page of the events takes, by room. */
export interface RoomBytes {
  readonly room_nid: number
  readonly bytes: number
  readonly events: number
  /** The last of the page. */
  readonly last: number
}

/** Bytes of the next `limit` events, by room. */
export function* bytesOfEvents(after: number, limit: number): Tx<readonly RoomBytes[]> {
  return yield* all<RoomBytes>(
    `SELECT room_nid, CAST(SUM(OCTET_LENGTH(json)) AS BIGINT) AS bytes, COUNT(*) AS events, MAX(nid) AS last
     FROM (SELECT nid, room_nid, json FROM events WHERE nid > ? ORDER BY nid LIMIT ?) page GROUP BY room_nid`,
    after,
    limit,
  )
}
