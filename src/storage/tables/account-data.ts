import { all, one, run, type Tx } from '../tx.js'

/** The content of what was deleted: it stays as a row, so that clients that are away learn of it. */
export const DELETED = '{}'

/** `room_id` is the empty string for data that belongs to no room. */
export interface AccountDataRow {
  readonly room_id: string
  readonly type: string
  /** A JSON object. */
  readonly content: string
  readonly pos: number
}

/** Pre: `pos` was allocated in this transaction. */
export function* putAccountData(
  userId: string,
  roomId: string,
  type: string,
  content: string,
  pos: number,
): Tx<void> {
  yield* run(
    `INSERT INTO account_data (user_id, room_id, type, content, pos) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (user_id, room_id, type) DO UPDATE SET content = excluded.content, pos = excluded.pos`,
    userId,
    roomId,
    type,
    content,
    pos,
  )
}

/** The JSON of one entry. */
export function* accountData(userId: string, roomId: string, type: string): Tx<string | undefined> {
  const row = yield* one<{ content: string }>(
    'SELECT content FROM account_data WHERE user_id = ? AND room_id = ? AND type = ?',
    userId,
    roomId,
    type,
  )
  return row?.content
}

export function* countAccountData(userId: string): Tx<number> {
  const row = yield* one<{ n: number }>('SELECT COUNT(*) AS n FROM account_data WHERE user_id = ?', userId)
  return row!.n
}

/** The size of everything but one entry. */
export function* accountDataBytesBeside(userId: string, roomId: string, type: string): Tx<number> {
  const row = yield* one<{ n: number | null }>(
    `SELECT SUM(octet_length(content)) AS n FROM account_data
     WHERE user_id = ? AND NOT (room_id = ? AND type = ?)`,
    userId,
    roomId,
    type,
  )
  return row?.n ?? 0
}

/** Which of the types there are, of no room. Pre: at most a thousand types. */
export function* globalTypesOf(userId: string, types: readonly string[]): Tx<readonly string[]> {
  const rows = yield* all<{ type: string }>(
    `SELECT type FROM account_data WHERE user_id = ? AND room_id = '' AND type IN (??) AND content <> ?`,
    userId,
    types,
    DELETED,
  )
  return rows.map((row) => row.type)
}

/** Post: those of the types that there are, of no room, are deleted. Pre: as of `globalTypesOf`; `pos` as of `putAccountData`. */
export function* deleteGlobalAccountData(userId: string, types: readonly string[], pos: number): Tx<void> {
  yield* run(
    `UPDATE account_data SET content = ?, pos = ?
     WHERE user_id = ? AND room_id = '' AND type IN (??) AND content <> ?`,
    DELETED,
    pos,
    userId,
    types,
    DELETED,
  )
}

/** What changed in (from, to], global and of all rooms, by position, deletions too. With `from` 0: everything that there is. */
export function* accountDataBetween(userId: string, from: number, to: number): Tx<readonly AccountDataRow[]> {
  const rows = yield* all<AccountDataRow>(
    'SELECT room_id, type, content, pos FROM account_data WHERE user_id = ? AND pos > ? AND pos <= ? ORDER BY pos',
    userId,
    from,
    to,
  )
  return rows.filter((row) => isNewsSince(row, from))
}

/** Whether somebody who knows everything up to `from` (0: nothing) has to learn of the row. */
export const isNewsSince = (row: AccountDataRow, from: number): boolean =>
  row.pos > from && (from > 0 || row.content !== DELETED)

/** Everything of some rooms (the empty string: global) up to `to`, deletions too. Pre: at most a few hundred rooms. */
export function* accountDataOfRooms(
  userId: string,
  roomIds: readonly string[],
  to: number,
): Tx<readonly AccountDataRow[]> {
  if (roomIds.length === 0) return []
  return yield* all<AccountDataRow>(
    'SELECT room_id, type, content, pos FROM account_data WHERE user_id = ? AND room_id IN (??) AND pos <= ?',
    userId,
    roomIds,
    to,
  )
}

export function* deleteAccountDataOfUser(userId: string): Tx<void> {
  yield* run('DELETE FROM account_data WHERE user_id = ?', userId)
}

/** Global data of some types of many users. Pre: at most a thousand users. */
export function* accountDataOfUsers(
  userIds: readonly string[],
  types: readonly string[],
): Tx<readonly { readonly user_id: string; readonly type: string; readonly content: string }[]> {
  return yield* all(
    `SELECT user_id, type, content FROM account_data WHERE room_id = '' AND type IN (??) AND user_id IN (??)`,
    types,
    userIds,
  )
}

/** A user's data of one type, of all their rooms. */
export function* accountDataOfType(
  userId: string,
  type: string,
): Tx<readonly { readonly room_id: string; readonly content: string }[]> {
  return yield* all(
    `SELECT room_id, content FROM account_data WHERE user_id = ? AND room_id <> '' AND type = ?`,
    userId,
    type,
  )
}
