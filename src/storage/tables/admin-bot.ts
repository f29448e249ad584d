import { all, one, run, runChanges, type Tx } from '../tx.js'

/** The room of the administration bot, and up to where its messages were read. */
export interface BotRoomRow {
  readonly room_id: string
  readonly pos: number
}

export function* botRoom(userId: string): Tx<BotRoomRow | undefined> {
  return yield* one<BotRoomRow>('SELECT room_id, pos FROM admin_bot_rooms WHERE user_id = ?', userId)
}

/** Post: the bot has this room and no other. */
export function* setBotRoom(userId: string, roomId: string, pos: number): Tx<void> {
  yield* run(
    `INSERT INTO admin_bot_rooms (user_id, room_id, pos) VALUES (?, ?, ?)
     ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id, pos = excluded.pos`,
    userId,
    roomId,
    pos,
  )
}

/** Post: what stands up to there is not read again. */
export function* setBotPosition(userId: string, pos: number): Tx<void> {
  yield* run('UPDATE admin_bot_rooms SET pos = ? WHERE user_id = ? AND pos < ?', pos, userId, pos)
}

export interface RoomMessageRow {
  readonly event_id: string
  readonly sender: string
  readonly type: string
  readonly pos: number
  readonly ts: number
  readonly json: string
}

/** What was said in a room after a position, oldest first. */
export function* eventsSince(
  roomNid: number,
  from: number,
  to: number,
  limit: number,
): Tx<readonly RoomMessageRow[]> {
  return yield* all<RoomMessageRow>(
    `SELECT event_id, sender, type, pos, ts, json FROM events
     WHERE room_nid = ? AND pos > ? AND pos <= ? AND soft_failed = 0 AND rejected IS NULL ORDER BY pos LIMIT ?`,
    roomNid,
    from,
    to,
    limit,
  )
}

/** Memberships of some users in a room. */
export function* membershipsAmong(
  roomNid: number,
  userIds: readonly string[],
): Tx<readonly { readonly user_id: string; readonly membership: string; readonly sender: string }[]> {
  if (userIds.length === 0) return []
  return yield* all(
    'SELECT user_id, membership, sender FROM memberships WHERE room_nid = ? AND user_id IN (??)',
    roomNid,
    userIds,
  )
}

export type BotCommandState = 'waiting' | 'running' | 'done' | 'refused' | 'told'

export interface BotCommandRow {
  readonly event_id: string
  readonly pos: number
  readonly sender: string
  readonly command: string
  readonly arguments: string
  readonly will: string
  readonly state: BotCommandState
  readonly outcome: string | null
  readonly has_secret: number
  readonly prompt_id: string | null
  readonly ts: number
  readonly until_ts: number
}

const COLUMNS =
  'event_id, pos, sender, command, arguments, will, state, outcome, has_secret, prompt_id, ts, until_ts'

/** Post: false where the message was taken up before. */
export function* insertBotCommand(row: BotCommandRow): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO admin_bot_commands (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    row.event_id,
    row.pos,
    row.sender,
    row.command,
    row.arguments,
    row.will,
    row.state,
    row.outcome,
    row.has_secret,
    row.prompt_id,
    row.ts,
    row.until_ts,
  )
  return changes === 1
}

/** What waits, runs, or was told nobody yet, in the order in which it came. */
export function* openBotCommands(limit: number): Tx<readonly BotCommandRow[]> {
  return yield* all<BotCommandRow>(
    `SELECT ${COLUMNS} FROM admin_bot_commands WHERE state <> 'told' ORDER BY pos LIMIT ?`,
    limit,
  )
}

/** The latest command of somebody that waits for a code. */
export function* waitingCommandOf(sender: string): Tx<BotCommandRow | undefined> {
  return yield* one<BotCommandRow>(
    `SELECT ${COLUMNS} FROM admin_bot_commands WHERE state <> 'told' AND state = 'waiting' AND sender = ?
     ORDER BY pos DESC LIMIT 1`,
    sender,
  )
}

export function* botCommand(eventId: string): Tx<BotCommandRow | undefined> {
  return yield* one<BotCommandRow>(`SELECT ${COLUMNS} FROM admin_bot_commands WHERE event_id = ?`, eventId)
}

/** Post: the command is in the state, if it was in the other; gives whether. */
export function* moveBotCommand(
  eventId: string,
  from: BotCommandState,
  to: BotCommandState,
  outcome: string | null,
  hasSecret = false,
): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE admin_bot_commands SET state = ?, outcome = ?, has_secret = ? WHERE event_id = ? AND state = ?',
    to,
    outcome,
    Number(hasSecret),
    eventId,
    from,
  )
  return changes === 1
}

/** Post: the answer was given; of its outcome a part is kept. */
export function* tellBotCommand(eventId: string, outcome: string | null): Tx<void> {
  yield* run("UPDATE admin_bot_commands SET state = 'told', outcome = ? WHERE event_id = ?", outcome, eventId)
}

export function* setBotPrompt(eventId: string, promptId: string): Tx<void> {
  yield* run('UPDATE admin_bot_commands SET prompt_id = ? WHERE event_id = ?', promptId, eventId)
}

/** Post: what was told before a time is forgotten. */
export function* pruneBotCommands(before: number): Tx<void> {
  yield* run("DELETE FROM admin_bot_commands WHERE state = 'told' AND ts < ?", before)
}

/** Post: the event is taken back at that time, or earlier where that was said before. */
export function* redactLater(eventId: string, dueTs: number): Tx<void> {
  yield* run(
    'INSERT INTO admin_bot_redactions (event_id, due_ts) VALUES (?, ?) ON CONFLICT DO NOTHING',
    eventId,
    dueTs,
  )
}

/** What is due first comes first. */
export function* botRedactions(
  limit: number,
): Tx<readonly { readonly event_id: string; readonly due_ts: number }[]> {
  return yield* all('SELECT event_id, due_ts FROM admin_bot_redactions ORDER BY due_ts LIMIT ?', limit)
}

export function* forgetRedaction(eventId: string): Tx<void> {
  yield* run('DELETE FROM admin_bot_redactions WHERE event_id = ?', eventId)
}
