import { all, type Tx } from '../tx.js'

/** A place in a room by time. */
export interface MessagePlace {
  readonly ts: number
  readonly nid: number
}

export interface MessageRow extends MessagePlace {
  readonly event_id: string
  readonly type: string
  readonly sender: string
  readonly redacted_by: number | null
}

/**
 * Messages of a room before a place and from a moment on, the latest first; of everybody, since an index by sender would cost every event. Those that the room
 * does not hold for part of it are not among them.
 */
export function* messagesBackwards(
  roomNid: number,
  before: MessagePlace,
  since: number,
  limit: number,
): Tx<readonly MessageRow[]> {
  return yield* all<MessageRow>(
    `SELECT nid, event_id, type, sender, ts, redacted_by FROM events
     WHERE room_nid = ? AND (ts, nid) < (?, ?) AND ts >= ? AND state_key IS NULL
       AND outlier = 0 AND rejected IS NULL AND soft_failed = 0
     ORDER BY ts DESC, nid DESC LIMIT ?`,
    roomNid,
    before.ts,
    before.nid,
    since,
    limit,
  )
}
