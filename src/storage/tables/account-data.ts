import { all, one, run, type Tx } from '../tx.js'

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

/** What changed in (from, to], global and of all rooms, by position. With `from` 0: everything. */
export function* accountDataBetween(userId: string, from: number, to: number): Tx<readonly AccountDataRow[]> {
  return yield* all<AccountDataRow>(
    'SELECT room_id, type, content, pos FROM account_data WHERE user_id = ? AND pos > ? AND pos <= ? ORDER BY pos',
    userId,
    from,
    to,
  )
}

/** Everything of some rooms (the empty string: global) up to `to`. Pre: at most a few hundred rooms. */
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
