import { all, many, one, run, runChanges, type Tx } from '../tx.js'

export type MoveSide = 'source' | 'target'

export interface AccountMoveRow {
  readonly move_id: number
  readonly side: MoveSide
  readonly old_user: string
  readonly new_user: string
  readonly step: string
  readonly nonce: string | null
  /** JSON. */
  readonly certificate: string | null
  readonly bundle_key: Uint8Array | null
  /** JSON. */
  readonly place: string | null
  readonly consent: number
  readonly reason: string
  /** Times in milliseconds since 1970. */
  readonly created_ts: number
  readonly not_after: number
  readonly due_ts: number
  readonly attempts: number
  readonly failure: string | null
}

export interface MoveRoomRow {
  readonly move_id: number
  readonly room_id: string
  readonly step: string
  readonly detail: string | null
  readonly attempts: number
  readonly due_ts: number
}

/** Of a move or room of which nothing is left to do. */
export const NEVER = Number.MAX_SAFE_INTEGER

export function* insertAccountMove(
  row: Omit<AccountMoveRow, 'move_id' | 'bundle_key' | 'place' | 'attempts' | 'failure'>,
): Tx<number> {
  const made = yield* one<{ move_id: number }>(
    `INSERT INTO account_moves (side, old_user, new_user, step, nonce, certificate, bundle_key, place, consent, reason, created_ts, not_after, due_ts, attempts, failure)
     VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ?, ?, 0, NULL) RETURNING move_id`,
    row.side,
    row.old_user,
    row.new_user,
    row.step,
    row.nonce,
    row.certificate,
    row.consent,
    row.reason,
    row.created_ts,
    row.not_after,
    row.due_ts,
  )
  return made!.move_id
}

export function* accountMoveByNonce(side: MoveSide, nonce: string): Tx<AccountMoveRow | undefined> {
  return yield* one<AccountMoveRow>('SELECT * FROM account_moves WHERE side = ? AND nonce = ?', side, nonce)
}

/** The moves in which a user takes part here, old or new account, newest first. Pre: of one user there are few. */
export function* accountMovesOf(userId: string): Tx<readonly AccountMoveRow[]> {
  return yield* all<AccountMoveRow>(
    `SELECT * FROM account_moves WHERE old_user = ?
     UNION SELECT * FROM account_moves WHERE new_user = ? ORDER BY move_id DESC LIMIT 100`,
    userId,
    userId,
  )
}

/** All moves with lower numbers than `before`, newest first. */
export function* accountMovesBefore(before: number, limit: number): Tx<readonly AccountMoveRow[]> {
  return yield* all<AccountMoveRow>(
    'SELECT * FROM account_moves WHERE move_id < ? ORDER BY move_id DESC LIMIT ?',
    before,
    limit,
  )
}

/** Moves that are to be looked at now. */
export function* dueAccountMoves(now: number, limit: number): Tx<readonly AccountMoveRow[]> {
  return yield* all<AccountMoveRow>(
    'SELECT * FROM account_moves WHERE due_ts <= ? ORDER BY due_ts, move_id LIMIT ?',
    now,
    limit,
  )
}

/** What a step of a move changes; what is left out stays. */
export interface MoveChange {
  readonly step: string
  readonly nonce?: string
  readonly certificate?: string
  readonly bundleKey?: Uint8Array | null
  readonly place?: string | null
  readonly notAfter?: number
  readonly dueTs: number
}

/** Post: the move is at another step, with nothing held against it. False where it was not at the step that it was found at: somebody else was quicker. */
export function* stepAccountMove(found: AccountMoveRow, change: MoveChange): Tx<boolean> {
  const changed = yield* runChanges(
    `UPDATE account_moves SET step = ?, nonce = ?, certificate = ?, bundle_key = ?, place = ?, not_after = ?, due_ts = ?, attempts = 0, failure = NULL
     WHERE move_id = ? AND step = ?`,
    change.step,
    change.nonce ?? found.nonce,
    change.certificate ?? found.certificate,
    change.bundleKey === undefined ? found.bundle_key : change.bundleKey,
    change.place === undefined ? found.place : change.place,
    change.notAfter ?? found.not_after,
    change.dueTs,
    found.move_id,
    found.step,
  )
  return changed === 1
}

/** Post: the move is looked at again then. */
export function* postponeAccountMove(
  found: AccountMoveRow,
  attempts: number,
  dueTs: number,
  failure: string | null,
): Tx<void> {
  yield* run(
    'UPDATE account_moves SET attempts = ?, due_ts = ?, failure = ? WHERE move_id = ? AND step = ?',
    attempts,
    dueTs,
    failure,
    found.move_id,
    found.step,
  )
}

/** Post: rooms that were not known are to be looked at. */
export function* insertMoveRooms(moveId: number, roomIds: readonly string[], dueTs: number): Tx<void> {
  yield* many(
    `INSERT INTO account_move_rooms (move_id, room_id, step, detail, attempts, due_ts) VALUES (?, ?, 'waiting', NULL, 0, ?)
     ON CONFLICT DO NOTHING`,
    roomIds.map((roomId) => [moveId, roomId, dueTs]),
  )
}

export function* dueMoveRooms(moveId: number, now: number, limit: number): Tx<readonly MoveRoomRow[]> {
  return yield* all<MoveRoomRow>(
    'SELECT * FROM account_move_rooms WHERE move_id = ? AND due_ts <= ? ORDER BY due_ts, room_id LIMIT ?',
    moveId,
    now,
    limit,
  )
}

export function* setMoveRoom(row: MoveRoomRow): Tx<void> {
  yield* run(
    `INSERT INTO account_move_rooms (move_id, room_id, step, detail, attempts, due_ts) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (move_id, room_id) DO UPDATE SET step = excluded.step, detail = excluded.detail, attempts = excluded.attempts, due_ts = excluded.due_ts`,
    row.move_id,
    row.room_id,
    row.step,
    row.detail,
    row.attempts,
    row.due_ts,
  )
}

/** When the next room of a move is to be looked at; undefined where nothing is left to do. */
export function* nextMoveRoom(moveId: number): Tx<number | undefined> {
  const row = yield* one<{ due: number | null }>(
    'SELECT MIN(due_ts) AS due FROM account_move_rooms WHERE move_id = ? AND due_ts < ?',
    moveId,
    NEVER,
  )
  return row?.due ?? undefined
}

/** Post: what is not done of a move's rooms stays behind, with these words. */
export function* endMoveRooms(moveId: number, detail: string): Tx<void> {
  yield* run(
    `UPDATE account_move_rooms SET step = 'left', detail = COALESCE(detail, ?), due_ts = ? WHERE move_id = ? AND due_ts < ?`,
    detail,
    NEVER,
    moveId,
    NEVER,
  )
}

/** How many rooms of a move stand at each step. */
export function* countMoveRooms(
  moveId: number,
): Tx<readonly { readonly step: string; readonly rooms: number }[]> {
  return yield* all(
    'SELECT step, COUNT(*) AS rooms FROM account_move_rooms WHERE move_id = ? GROUP BY step ORDER BY step',
    moveId,
  )
}

/** Rooms of which there is something to tell: they stay behind, or something of them does. */
export function* moveRoomsToTell(moveId: number, limit: number): Tx<readonly MoveRoomRow[]> {
  return yield* all<MoveRoomRow>(
    'SELECT * FROM account_move_rooms WHERE move_id = ? AND detail IS NOT NULL ORDER BY room_id LIMIT ?',
    moveId,
    limit,
  )
}

/** The new account of a user who has moved away for good; undefined for all others. */
export function* movedAwayTo(oldUser: string): Tx<string | undefined> {
  const row = yield* one<{ new_user: string }>(
    `SELECT new_user FROM account_moves WHERE old_user = ? AND side = 'source' AND step IN ('telling', 'done') ORDER BY move_id DESC LIMIT 1`,
    oldUser,
  )
  return row?.new_user
}

/** An entry of account data of a user, after another in order of room and type. */
export function* accountDataPage(
  userId: string,
  after: { readonly roomId: string; readonly type: string },
  limit: number,
): Tx<readonly { readonly room_id: string; readonly type: string; readonly content: string }[]> {
  return yield* all(
    `SELECT room_id, type, content FROM account_data WHERE user_id = ? AND (room_id, type) > (?, ?) ORDER BY room_id, type LIMIT ?`,
    userId,
    after.roomId,
    after.type,
    limit,
  )
}
