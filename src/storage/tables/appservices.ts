import { all, many, one, run, runChanges, type Tx } from '../tx.js'

export interface AppserviceProgress {
  readonly pos: number
  readonly txn_id: string | null
  /** JSON. */
  readonly body: string | null
  readonly txn_ts: number | null
}

export interface QueuedEvent {
  readonly appservice_id: string
  readonly pos: number
  readonly user_id: string
  readonly event_nid: number | null
  readonly json: string | null
  readonly ts: number
}

export interface QueuedToDevice {
  readonly appservice_id: string
  readonly pos: number
  readonly user_id: string
  readonly device_id: string
}

export interface ToDeviceForAppservice {
  readonly pos: number
  readonly ts: number
  readonly user_id: string
  readonly device_id: string
  readonly sender: string
  readonly type: string
  readonly content: string
}

/** Post: each has a row; new ones are told what comes after `pos`. */
export function* addAppservices(ids: readonly string[], pos: number): Tx<void> {
  yield* many(
    'INSERT INTO appservice_progress (appservice_id, pos) VALUES (?, ?) ON CONFLICT DO NOTHING',
    ids.map((id) => [id, pos]),
  )
}

export function* knownAppservices(): Tx<readonly string[]> {
  const rows = yield* all<{ appservice_id: string }>('SELECT appservice_id FROM appservice_progress')
  return rows.map((row) => row.appservice_id)
}

/** Post: nothing waits for them any more. */
export function* deleteWaitingFor(ids: readonly string[]): Tx<void> {
  if (ids.length === 0) return
  for (const table of ['appservice_progress', 'appservice_events', 'appservice_to_device'])
    yield* run(`DELETE FROM ${table} WHERE appservice_id IN (??)`, ids)
}

/** Post: they publish no rooms. */
export function* deleteRoomsOfAppservices(ids: readonly string[]): Tx<void> {
  if (ids.length > 0) yield* run('DELETE FROM appservice_rooms WHERE appservice_id IN (??)', ids)
}

export function* appserviceProgress(id: string): Tx<AppserviceProgress | undefined> {
  return yield* one<AppserviceProgress>(
    'SELECT pos, txn_id, body, txn_ts FROM appservice_progress WHERE appservice_id = ?',
    id,
  )
}

export function* setAppserviceProgress(id: string, progress: AppserviceProgress): Tx<void> {
  yield* run(
    'UPDATE appservice_progress SET pos = ?, txn_id = ?, body = ?, txn_ts = ? WHERE appservice_id = ?',
    progress.pos,
    progress.txn_id,
    progress.body,
    progress.txn_ts,
    id,
  )
}

/** Post: the transaction is taken; false when it was not the one under way. */
export function* clearAppserviceTransaction(id: string, txnId: string): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE appservice_progress SET txn_id = NULL, body = NULL, txn_ts = NULL WHERE appservice_id = ? AND txn_id = ?',
    id,
    txnId,
  )
  return changes === 1
}

export function* queueForAppservices(rows: readonly QueuedEvent[]): Tx<void> {
  yield* many(
    `INSERT INTO appservice_events (appservice_id, pos, user_id, event_nid, json, ts) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    rows.map((row) => [row.appservice_id, row.pos, row.user_id, row.event_nid, row.json, row.ts]),
  )
}

export function* queuedForAppservice(id: string, upTo: number, limit: number): Tx<readonly QueuedEvent[]> {
  return yield* all<QueuedEvent>(
    `SELECT appservice_id, pos, user_id, event_nid, json, ts FROM appservice_events
     WHERE appservice_id = ? AND pos <= ? ORDER BY pos, user_id LIMIT ?`,
    id,
    upTo,
    limit,
  )
}

export function* deleteQueuedForAppservice(rows: readonly QueuedEvent[]): Tx<void> {
  yield* many(
    'DELETE FROM appservice_events WHERE appservice_id = ? AND pos = ? AND user_id = ?',
    rows.map((row) => [row.appservice_id, row.pos, row.user_id]),
  )
}

/** The position up to which events and messages wait beyond the latest `keep` of either; undefined where no more wait. */
export function* appserviceSurplus(id: string, keep: number): Tx<number | undefined> {
  const beyond = function* (table: 'appservice_events' | 'appservice_to_device'): Tx<number> {
    const row = yield* one<{ pos: number }>(
      `SELECT pos FROM ${table} WHERE appservice_id = ? ORDER BY pos DESC LIMIT 1 OFFSET ?`,
      id,
      keep,
    )
    return row?.pos ?? 0
  }
  const pos = Math.max(yield* beyond('appservice_events'), yield* beyond('appservice_to_device'))
  return pos === 0 ? undefined : pos
}

/** Deletes of what waits up to a position the oldest. Gives how much. */
export function* dropOldestForAppservice(id: string, upTo: number, limit: number): Tx<number> {
  let dropped = 0
  for (const table of ['appservice_events', 'appservice_to_device'])
    dropped += yield* runChanges(
      `DELETE FROM ${table} WHERE appservice_id = ? AND pos IN (
         SELECT pos FROM ${table} WHERE appservice_id = ? AND pos <= ? ORDER BY pos LIMIT ?)`,
      id,
      id,
      upTo,
      limit,
    )
  return dropped
}

/** How many events wait, at most `limit`. */
export function* waitingForAppservices(limit: number): Tx<number> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM (SELECT 1 AS waits FROM appservice_events LIMIT ?) AS counted',
    limit,
  )
  return row!.n
}

/** When the oldest thing happened that this one has not taken; undefined where nothing waits. */
export function* oldestForAppservice(id: string): Tx<number | undefined> {
  const progress = yield* appserviceProgress(id)
  if (typeof progress?.txn_ts === 'number') return progress.txn_ts
  const row = yield* one<{ ts: number }>(
    'SELECT ts FROM appservice_events WHERE appservice_id = ? ORDER BY pos LIMIT 1',
    id,
  )
  return row?.ts
}

export function* queueToDeviceForAppservices(rows: readonly QueuedToDevice[]): Tx<void> {
  yield* many(
    `INSERT INTO appservice_to_device (appservice_id, pos, user_id, device_id) VALUES (?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    rows.map((row) => [row.appservice_id, row.pos, row.user_id, row.device_id]),
  )
}

/** The oldest `limit` of its queued messages, those left out that their device has fetched itself; and where the last of them stands. */
export function* toDeviceForAppservice(
  id: string,
  upTo: number,
  limit: number,
): Tx<{
  readonly messages: readonly ToDeviceForAppservice[]
  readonly queued: readonly QueuedToDevice[]
}> {
  const queued = yield* all<QueuedToDevice>(
    `SELECT appservice_id, pos, user_id, device_id FROM appservice_to_device
     WHERE appservice_id = ? AND pos <= ? ORDER BY pos, user_id, device_id LIMIT ?`,
    id,
    upTo,
    limit,
  )
  const [first, last] = [queued[0], queued.at(-1)]
  if (first === undefined || last === undefined) return { messages: [], queued }
  const messages = yield* all<ToDeviceForAppservice>(
    `SELECT m.pos, m.ts, m.user_id, m.device_id, m.sender, m.type, m.content FROM appservice_to_device q
     JOIN to_device_messages m ON m.user_id = q.user_id AND m.device_id = q.device_id AND m.pos = q.pos
     WHERE q.appservice_id = ? AND q.pos >= ? AND q.pos <= ? ORDER BY q.pos, q.user_id, q.device_id LIMIT ?`,
    id,
    first.pos,
    last.pos,
    limit,
  )
  return { messages, queued }
}

export function* deleteQueuedToDevice(rows: readonly QueuedToDevice[]): Tx<void> {
  yield* many(
    'DELETE FROM appservice_to_device WHERE appservice_id = ? AND pos = ? AND user_id = ? AND device_id = ?',
    rows.map((row) => [row.appservice_id, row.pos, row.user_id, row.device_id]),
  )
}

/** Devices whose counts of one-time keys, or use of fallback keys, changed after `from`, up to and with `to`; in order. */
export function* keyCountChangesBetween(
  from: number,
  to: number,
  limit: number,
): Tx<readonly { readonly user_id: string; readonly device_id: string; readonly pos: number }[]> {
  return yield* all(
    'SELECT user_id, device_id, pos FROM key_count_changes WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?',
    from,
    to,
    limit,
  )
}

/** Unclaimed one-time keys of these users' devices. */
export function* oneTimeKeyCountsOf(userIds: readonly string[]): Tx<
  readonly {
    readonly user_id: string
    readonly device_id: string
    readonly algorithm: string
    readonly n: number
  }[]
> {
  if (userIds.length === 0) return []
  return yield* all(
    `SELECT user_id, device_id, algorithm, COUNT(*) AS n FROM one_time_keys
     WHERE user_id IN (??) AND claimed_ts IS NULL GROUP BY user_id, device_id, algorithm`,
    userIds,
  )
}

/** Fallback keys of these users' devices that nobody was given yet. */
export function* unusedFallbackKeysOf(
  userIds: readonly string[],
): Tx<readonly { readonly user_id: string; readonly device_id: string; readonly algorithm: string }[]> {
  if (userIds.length === 0) return []
  return yield* all(
    'SELECT user_id, device_id, algorithm FROM fallback_keys WHERE user_id IN (??) AND used = 0',
    userIds,
  )
}

/** Changes of device lists in (from, to], in order. */
export function* deviceListChangesAfter(
  from: number,
  to: number,
  limit: number,
): Tx<readonly { readonly user_id: string; readonly pos: number }[]> {
  return yield* all(
    'SELECT user_id, pos FROM device_list_changes WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?',
    from,
    to,
    limit,
  )
}

/** Changes of membership in (from, to], in order; what somebody was before and is after. */
export function* memberDeltasAfter(
  from: number,
  to: number,
  limit: number,
): Tx<
  readonly {
    readonly pos: number
    readonly room_nid: number
    readonly user_id: string
    readonly before: string | null
    readonly after: string | null
  }[]
> {
  return yield* all(
    `SELECT d.pos, d.room_nid, d.state_key AS user_id, p.json AS before, e.json AS after
     FROM (SELECT pos, room_nid, state_key, prev_nid, event_nid FROM state_deltas
           WHERE pos > ? AND pos <= ? AND type = 'm.room.member' ORDER BY pos LIMIT ?) d
     LEFT JOIN events p ON p.nid = d.prev_nid LEFT JOIN events e ON e.nid = d.event_nid ORDER BY d.pos, d.state_key`,
    from,
    to,
    limit,
  )
}

/** The rooms that these users have joined, each with its user. Pre: at most a few hundred users. */
export function* joinedRoomsOf(
  userIds: readonly string[],
): Tx<readonly { readonly user_id: string; readonly room_nid: number }[]> {
  if (userIds.length === 0) return []
  return yield* all(
    `SELECT user_id, room_nid FROM memberships WHERE user_id IN (??) AND membership = 'join'`,
    userIds,
  )
}

/** Post: the room is in the list, or not. */
export function* setAppserviceRoom(
  row: { readonly appserviceId: string; readonly networkId: string; readonly roomNid: number },
  listed: boolean,
): Tx<void> {
  if (listed)
    yield* run(
      'INSERT INTO appservice_rooms (appservice_id, network_id, room_nid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      row.appserviceId,
      row.networkId,
      row.roomNid,
    )
  else
    yield* run(
      'DELETE FROM appservice_rooms WHERE appservice_id = ? AND network_id = ? AND room_nid = ?',
      row.appserviceId,
      row.networkId,
      row.roomNid,
    )
}

export function* countAppserviceRooms(appserviceId: string): Tx<number> {
  const row = yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM appservice_rooms WHERE appservice_id = ?',
    appserviceId,
  )
  return row!.n
}

/** The rooms of one network. */
export function* roomsOfNetwork(
  appserviceId: string,
  networkId: string,
): Tx<readonly { readonly room_id: string }[]> {
  return yield* all(
    `SELECT r.room_id FROM appservice_rooms a JOIN rooms r ON r.nid = a.room_nid
     WHERE a.appservice_id = ? AND a.network_id = ? ORDER BY r.nid`,
    appserviceId,
    networkId,
  )
}

/** The rooms of this server's own list and of all networks. */
export function* roomsOfAllNetworks(): Tx<readonly { readonly room_id: string }[]> {
  return yield* all(
    `SELECT room_id FROM rooms WHERE published = 1 OR nid IN (SELECT room_nid FROM appservice_rooms) ORDER BY nid`,
  )
}
