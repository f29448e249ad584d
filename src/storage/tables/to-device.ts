import { utf8Length } from '../../core/ids/common.js'
import { all, many, one, run, runChanges, type Tx } from '../tx.js'

export interface ToDeviceRow {
  readonly user_id: string
  readonly device_id: string
  readonly pos: number
  readonly ts: number
  readonly sender: string
  readonly type: string
  /** JSON. */
  readonly content: string
}

export interface QueueRow {
  readonly user_id: string
  readonly device_id: string
  readonly messages: number
  readonly bytes: number
}

/** Pre: at most one row for each device, with a position allocated in this body. Post: they wait, and are counted. */
export function* insertToDevice(rows: readonly ToDeviceRow[]): Tx<void> {
  // One order for all transactions, so that two of them never wait for each other.
  const sorted = [...rows].sort((a, b) =>
    a.user_id !== b.user_id
      ? a.user_id < b.user_id ? -1 : 1
      : a.device_id < b.device_id ? -1 : a.device_id > b.device_id ? 1 : 0,
  ) // prettier-ignore
  yield* many(
    `INSERT INTO to_device_queues (user_id, device_id, messages, bytes) VALUES (?, ?, ?, ?)
     ON CONFLICT (user_id, device_id) DO UPDATE SET messages = to_device_queues.messages + 1,
       bytes = to_device_queues.bytes + excluded.bytes`,
    sorted.map((row) => [row.user_id, row.device_id, 1, utf8Length(row.content)]),
  )
  yield* many(
    `INSERT INTO to_device_messages (user_id, device_id, pos, ts, sender, type, content) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    sorted.map((row) => [row.user_id, row.device_id, row.pos, row.ts, row.sender, row.type, row.content]),
  )
}

/** What waits for a device after `from`, up to and with `to`, oldest first. */
export function* toDeviceBetween(
  userId: string,
  deviceId: string,
  from: number,
  to: number,
  limit: number,
): Tx<readonly Pick<ToDeviceRow, 'pos' | 'sender' | 'type' | 'content'>[]> {
  return yield* all(
    `SELECT pos, sender, type, content FROM to_device_messages
     WHERE user_id = ? AND device_id = ? AND pos > ? AND pos <= ? ORDER BY pos LIMIT ?`,
    userId,
    deviceId,
    from,
    to,
    limit,
  )
}

export function* hasToDeviceUpTo(userId: string, deviceId: string, pos: number): Tx<boolean> {
  const row = yield* one(
    'SELECT 1 AS found FROM to_device_messages WHERE user_id = ? AND device_id = ? AND pos <= ? LIMIT 1',
    userId,
    deviceId,
    pos,
  )
  return row !== undefined
}

/** Post: nothing up to and with `pos` waits for the device. Gives how many were deleted. */
export function* deleteToDeviceUpTo(userId: string, deviceId: string, pos: number): Tx<number> {
  const gone = yield* one<{ n: number; bytes: number | null }>(
    `SELECT COUNT(*) AS n, CAST(SUM(OCTET_LENGTH(content)) AS BIGINT) AS bytes FROM to_device_messages
     WHERE user_id = ? AND device_id = ? AND pos <= ?`,
    userId,
    deviceId,
    pos,
  )
  if (gone === undefined || gone.n === 0) return 0
  yield* run(
    'DELETE FROM to_device_messages WHERE user_id = ? AND device_id = ? AND pos <= ?',
    userId,
    deviceId,
    pos,
  )
  yield* run(
    'UPDATE to_device_queues SET messages = messages - ?, bytes = bytes - ? WHERE user_id = ? AND device_id = ?',
    gone.n,
    gone.bytes ?? 0,
    userId,
    deviceId,
  )
  yield* run(
    'DELETE FROM to_device_queues WHERE user_id = ? AND device_id = ? AND messages <= 0',
    userId,
    deviceId,
  )
  return gone.n
}

/** Of these devices, those for which more waits than allowed. */
export function* overfullQueues(
  userIds: readonly string[],
  maxMessages: number,
  maxBytes: number,
): Tx<readonly QueueRow[]> {
  return yield* all<QueueRow>(
    'SELECT * FROM to_device_queues WHERE user_id IN (??) AND (messages > ? OR bytes > ?)',
    userIds,
    maxMessages,
    maxBytes,
  )
}

/** The position of the message that stands `offset` places behind the oldest; undefined when fewer wait. */
export function* toDevicePositionAt(
  userId: string,
  deviceId: string,
  offset: number,
): Tx<number | undefined> {
  const row = yield* one<{ pos: number }>(
    'SELECT pos FROM to_device_messages WHERE user_id = ? AND device_id = ? ORDER BY pos LIMIT 1 OFFSET ?',
    userId,
    deviceId,
    offset,
  )
  return row?.pos
}

export function* deleteToDeviceOfDevices(userId: string, deviceIds: readonly string[]): Tx<void> {
  for (const table of ['to_device_messages', 'to_device_queues'])
    yield* run(`DELETE FROM ${table} WHERE user_id = ? AND device_id IN (??)`, userId, deviceIds)
}

/** Devices that have not fetched what came before `before`, with the newest such position of each. */
export function* queuesWithOldMessages(
  before: number,
  limit: number,
): Tx<readonly { readonly user_id: string; readonly device_id: string; readonly pos: number }[]> {
  return yield* all(
    `SELECT user_id, device_id, MAX(pos) AS pos FROM (
       SELECT user_id, device_id, pos FROM to_device_messages WHERE ts < ? ORDER BY ts LIMIT ?) old
     GROUP BY user_id, device_id`,
    before,
    limit,
  )
}

/** Post: true when this message had not been taken before. */
export function* recordReceivedToDevice(origin: string, messageId: string, ts: number): Tx<boolean> {
  const changes = yield* runChanges(
    'INSERT INTO received_to_device (origin, message_id, ts) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    origin,
    messageId,
    ts,
  )
  return changes > 0
}

export function* deleteReceivedToDevice(before: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM received_to_device WHERE (origin, message_id) IN (
       SELECT origin, message_id FROM received_to_device WHERE ts < ? ORDER BY ts LIMIT ?)`,
    before,
    limit,
  )
}

/** Post: nothing up to and with its position waits for each of these devices. Pre: each device stands there once. */
export function* deleteToDeviceOfMany(
  rows: readonly { readonly user_id: string; readonly device_id: string; readonly pos: number }[],
): Tx<void> {
  const devices = rows.map((row) => [row.user_id, row.device_id, row.pos])
  yield* many(
    `UPDATE to_device_queues SET
       messages = messages - (SELECT COUNT(*) FROM to_device_messages m WHERE m.user_id = ? AND m.device_id = ? AND m.pos <= ?),
       bytes = bytes - (SELECT CAST(COALESCE(SUM(OCTET_LENGTH(m.content)), 0) AS BIGINT) FROM to_device_messages m
         WHERE m.user_id = ? AND m.device_id = ? AND m.pos <= ?)
     WHERE user_id = ? AND device_id = ?`,
    rows.map(({ user_id, device_id, pos }) => [
      user_id,
      device_id,
      pos,
      user_id,
      device_id,
      pos,
      user_id,
      device_id,
    ]),
  )
  yield* many('DELETE FROM to_device_messages WHERE user_id = ? AND device_id = ? AND pos <= ?', devices)
  yield* many(
    'DELETE FROM to_device_queues WHERE user_id = ? AND device_id = ? AND messages <= 0',
    rows.map((row) => [row.user_id, row.device_id]),
  )
}
