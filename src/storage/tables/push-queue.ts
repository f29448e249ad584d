import { all, many, one, run, runChanges, type Tx } from '../tx.js'

/** Something that may concern users with pushers, not yet judged. */
export interface StagedPush {
  readonly pos: number
  readonly room_nid: number
  /** Null: an invite to a room that this server is not in. */
  readonly event_nid: number | null
  /** The invited user; else the empty string. */
  readonly user_id: string
}

/** Something that a pusher is to tell. */
export interface QueuedPush {
  readonly pusher_id: number
  readonly pos: number
  readonly room_nid: number
  readonly event_nid: number | null
  /** JSON: the actions of the rule that matched. */
  readonly actions: string
  /** When it was found to concern the user, in milliseconds since 1970. */
  readonly ts: number
}

export function* stagePushes(rows: readonly StagedPush[]): Tx<void> {
  yield* many(
    'INSERT INTO push_staging (pos, room_nid, event_nid, user_id) VALUES (?, ?, ?, ?)',
    rows.map((row) => [row.pos, row.room_nid, row.event_nid, row.user_id]),
  )
}

export function* stagedPushes(upTo: number, limit: number): Tx<readonly StagedPush[]> {
  return yield* all<StagedPush>(
    'SELECT pos, room_nid, event_nid, user_id FROM push_staging WHERE pos <= ? ORDER BY pos LIMIT ?',
    upTo,
    limit,
  )
}

export function* deleteStagedPushes(rows: readonly StagedPush[]): Tx<void> {
  yield* many(
    'DELETE FROM push_staging WHERE pos = ? AND user_id = ?',
    rows.map((row) => [row.pos, row.user_id]),
  )
}

export function* queuePushes(rows: readonly QueuedPush[]): Tx<void> {
  yield* many(
    `INSERT INTO push_queue (pusher_id, pos, room_nid, event_nid, actions, ts) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (pusher_id, pos) DO NOTHING`,
    rows.map((row) => [row.pusher_id, row.pos, row.room_nid, row.event_nid, row.actions, row.ts]),
  )
}

/** What a pusher is to tell, oldest first. */
export function* queuedPushes(pusherId: number, limit: number): Tx<readonly QueuedPush[]> {
  return yield* all<QueuedPush>(
    'SELECT pusher_id, pos, room_nid, event_nid, actions, ts FROM push_queue WHERE pusher_id = ? ORDER BY pos LIMIT ?',
    pusherId,
    limit,
  )
}

export function* deleteQueuedPushes(pusherId: number, positions: readonly number[]): Tx<void> {
  if (positions.length === 0) return
  yield* run('DELETE FROM push_queue WHERE pusher_id = ? AND pos IN (??)', pusherId, positions)
}

/** Post: what was found before `ts` is told no more. Gives how many. */
export function* dropOldPushes(pusherId: number, ts: number): Tx<number> {
  return yield* runChanges('DELETE FROM push_queue WHERE pusher_id = ? AND ts < ?', pusherId, ts)
}

/** Post: only the newest `keep` wait. Gives how many were dropped. */
export function* trimPushes(pusherId: number, keep: number): Tx<number> {
  const row = yield* one<{ pos: number }>(
    'SELECT pos FROM push_queue WHERE pusher_id = ? ORDER BY pos DESC LIMIT 1 OFFSET ?',
    pusherId,
    keep,
  )
  if (row === undefined) return 0
  return yield* runChanges('DELETE FROM push_queue WHERE pusher_id = ? AND pos <= ?', pusherId, row.pos)
}

/** Where the newest live event of each room stands, up to a position. Rooms without one are left out. */
export function* newestUpTo(
  roomNids: readonly number[],
  upTo: number,
): Tx<readonly { readonly room_nid: number; readonly pos: number }[]> {
  if (roomNids.length === 0) return []
  const rows = yield* all<{ room_nid: number; pos: number | null }>(
    `SELECT r.nid AS room_nid, (SELECT MAX(e.pos) FROM events e WHERE e.room_nid = r.nid AND e.pos <= ?) AS pos
     FROM rooms r WHERE r.nid IN (??)`,
    upTo,
    roomNids,
  )
  return rows.flatMap(({ room_nid, pos }) => (pos === null ? [] : [{ room_nid, pos }]))
}
