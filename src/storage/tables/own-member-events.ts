import { all, type Tx } from '../tx.js'

export interface OwnMemberEvent {
  readonly nid: number
  readonly ts: number
  readonly room_nid: number
  readonly state_key: string
  readonly json: string
}

/** The next membership events that a user has sent, of themselves and of others, by time. */
export function* ownMemberEvents(
  sender: string,
  after: { readonly ts: number; readonly nid: number },
  limit: number,
): Tx<readonly OwnMemberEvent[]> {
  return yield* all<OwnMemberEvent>(
    `SELECT nid, ts, room_nid, state_key, json FROM events
     WHERE sender = ? AND type = 'm.room.member' AND (ts, nid) > (?, ?)
       AND state_key IS NOT NULL AND outlier = 0 AND rejected IS NULL AND soft_failed = 0
     ORDER BY ts, nid LIMIT ?`,
    sender,
    after.ts,
    after.nid,
    limit,
  )
}
