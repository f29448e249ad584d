import { all, one, run, runChanges, type Tx } from '../tx.js'
import { allocatePosition, readPosition } from './positions.js'
import { scheduleAllRepairs } from './room-repairs.js'

export interface LostRange {
  /** The last position that the backup knows. */
  readonly after_pos: number
  /** The restored database has given out this one and what follows. */
  readonly resumed_pos: number
}

export interface Resumption extends LostRange {
  /** One-time keys that are not handed out any more. */
  readonly oneTimeKeys: number
  /** Users of other servers whose devices are fetched again. */
  readonly remoteLists: number
  /** Rooms that are compared with what other servers have. */
  readonly rooms: number
}

/** What is certainly more than a node gives out between a backup and its loss, where the clock is of no use. */
const LEAP = 1_000_000_000
/** Of the clock's milliseconds: no node gives out ten positions in each of them for long. */
const PER_MS = 10

export function* lostRanges(): Tx<readonly LostRange[]> {
  return yield* all<LostRange>(
    'SELECT after_pos, resumed_pos FROM lost_positions WHERE resumed_pos IS NOT NULL ORDER BY after_pos',
  )
}

/** Whether the database is the copy of a backup from which no node has gone on yet. */
export function* isCopy(): Tx<boolean> {
  const row = yield* one('SELECT 1 AS found FROM lost_positions WHERE resumed_pos IS NULL')
  return row !== undefined
}

/**
 * Makes a copy of a database fit to go on where the original is lost. What happened in between is known to clients and to other
 * servers, and not here:
 *
 * - The counter goes on beyond all that the original, or an earlier restoration of the same copy, can have given out: it follows the
 *   clock. Tokens of the range in between are recognised from now on (`lostRanges`).
 * - One-time keys may have been handed out: none is again. Devices hear that they have none, and that their fallback keys are used.
 * - Other servers may know newer lists of the devices of users here: the next update of each names a predecessor that nobody knows, so that its
 *   receivers fetch the list. What is known of their users' devices may be old: it is fetched again.
 * - Rooms have gone on at other servers, with what users here have said too: each is compared with what those have.
 *
 * Pre: no node runs on the database.
 */
export function* resumeFromCopy(now: number): Tx<Resumption> {
  const after = yield* readPosition()
  const byClock = Math.floor(now) * PER_MS
  const resumed = byClock > after ? byClock : after + LEAP
  yield* run('UPDATE stream_position SET pos = ? WHERE id = 1', resumed)
  yield* run('DELETE FROM lost_positions WHERE resumed_pos IS NULL OR after_pos = ?', after)
  yield* run(
    'INSERT INTO lost_positions (after_pos, resumed_pos, ts) VALUES (?, ?, ?)',
    after,
    resumed,
    Math.floor(now),
  )
  const oneTimeKeys = yield* runChanges(
    'UPDATE one_time_keys SET claimed_ts = ? WHERE claimed_ts IS NULL',
    now,
  )
  yield* run('UPDATE fallback_keys SET used = 1 WHERE used = 0')
  const remoteLists = yield* runChanges(
    'UPDATE remote_device_lists SET stale = stale + 1, failures = 0, retry_at = 0',
  )
  const pos = yield* allocatePosition()
  yield* run('UPDATE key_count_changes SET pos = ?', pos)
  yield* run('DELETE FROM device_list_changes WHERE user_id IN (SELECT user_id FROM devices)')
  yield* run(
    'INSERT INTO device_list_changes (user_id, pos) SELECT DISTINCT user_id, CAST(? AS BIGINT) FROM devices',
    pos,
  )
  const rooms = yield* scheduleAllRepairs(Math.floor(now))
  return { after_pos: after, resumed_pos: resumed, oneTimeKeys, remoteLists, rooms }
}
