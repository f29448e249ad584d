import { all, many, one, run, type Tx } from '../tx.js'
import { deleteRelationsOf } from './relations.js'
import { deleteSearchDocs } from './search.js'

/** A room whose members are not all known yet. */
export interface PartialRoom {
  readonly room_nid: number
  readonly room_id: string
  /** The server by whose word it is here. */
  readonly via: string
  readonly attempts: number
}

/** An event that took its place in a partial room. */
export interface PartialEvent {
  readonly event_nid: number
  /** What other servers have before it, as JSON; null where its predecessors tell. */
  readonly peer_state: string | null
}

/** Post: the room is partial, with these servers in it, and is to be completed at `due` (milliseconds); what was noted of it before is gone. */
export function* beginPartialRoom(
  roomNid: number,
  { via, servers, due }: { readonly via: string; readonly servers: readonly string[]; readonly due: number },
): Tx<void> {
  yield* forgetPartialRoom(roomNid)
  yield* run('UPDATE rooms SET partial = 1 WHERE nid = ?', roomNid)
  yield* run(
    'INSERT INTO partial_rooms (room_nid, via, attempts, due) VALUES (?, ?, 0, ?)',
    roomNid,
    via,
    due,
  )
  yield* addPartialServers(roomNid, servers)
}

export function* addPartialServers(roomNid: number, servers: readonly string[]): Tx<void> {
  yield* many(
    'INSERT INTO partial_room_servers (room_nid, server) VALUES (?, ?) ON CONFLICT DO NOTHING',
    servers.map((server) => [roomNid, server]),
  )
}

/** Post: the room is whole since `pos`. */
export function* endPartialRoom(roomNid: number, pos: number): Tx<void> {
  yield* forgetPartialRoom(roomNid)
  yield* run('UPDATE rooms SET partial = 0, whole_pos = ? WHERE nid = ?', pos, roomNid)
}

function* forgetPartialRoom(roomNid: number): Tx<void> {
  yield* run('DELETE FROM partial_events WHERE room_nid = ?', roomNid)
  yield* run('DELETE FROM partial_room_servers WHERE room_nid = ?', roomNid)
  yield* run('DELETE FROM partial_rooms WHERE room_nid = ?', roomNid)
}

/** Those that are due, the longest first. */
export function* duePartialRooms(now: number, limit: number): Tx<readonly PartialRoom[]> {
  return yield* all<PartialRoom>(
    `SELECT p.room_nid, r.room_id, p.via, p.attempts FROM partial_rooms p JOIN rooms r ON r.nid = p.room_nid
     WHERE p.due <= ? ORDER BY p.due, p.room_nid LIMIT ?`,
    now,
    limit,
  )
}

/** When the next one is due, those that are due now left out. */
export function* nextPartialRoomAt(now: number): Tx<number | undefined> {
  const row = yield* one<{ at: number | null }>('SELECT MIN(due) AS at FROM partial_rooms WHERE due > ?', now)
  return row?.at ?? undefined
}

/** One more attempt was in vain. */
export function* postponePartialRoom(roomNid: number, due: number): Tx<void> {
  yield* run('UPDATE partial_rooms SET attempts = attempts + 1, due = ? WHERE room_nid = ?', due, roomNid)
}

/** Post: a room that nobody of this server is in any more is not completed. */
export function* abandonPartialRoom(roomNid: number): Tx<void> {
  yield* run(
    `DELETE FROM partial_rooms WHERE room_nid = ? AND NOT EXISTS (
       SELECT 1 FROM memberships m WHERE m.room_nid = ? AND m.local = 1 AND m.membership = 'join')`,
    roomNid,
    roomNid,
  )
}

export function* partialServersOf(roomNid: number): Tx<readonly string[]> {
  const rows = yield* all<{ server: string }>(
    'SELECT server FROM partial_room_servers WHERE room_nid = ?',
    roomNid,
  )
  return rows.map((row) => row.server)
}

export function* insertPartialEvents(
  roomNid: number,
  events: readonly { readonly nid: number; readonly peerState: string | null }[],
): Tx<void> {
  yield* many(
    'INSERT INTO partial_events (room_nid, event_nid, peer_state) VALUES (?, ?, ?)',
    events.map(({ nid, peerState }) => [roomNid, nid, peerState]),
  )
}

/** In the order in which they took their place. */
export function* partialEventsOf(roomNid: number): Tx<readonly PartialEvent[]> {
  return yield* all<PartialEvent>(
    'SELECT event_nid, peer_state FROM partial_events WHERE room_nid = ? ORDER BY seq',
    roomNid,
  )
}

/**
 * Post: at most `limit` events that took their place in a partial room which was left have none any more: their states will never be right. They are known for
 * their content, and come to their place again when history is filled in. Gives their nids.
 */
export function* displacePartialEvents(roomNid: number, limit: number): Tx<readonly number[]> {
  const rows = yield* all<PartialEvent>(
    'SELECT event_nid, peer_state FROM partial_events WHERE room_nid = ? ORDER BY seq LIMIT ?',
    roomNid,
    limit,
  )
  const nids = rows.map((row) => row.event_nid)
  if (nids.length === 0) return nids
  yield* run(
    `UPDATE events SET outlier = 1, pos = NULL, ord = NULL, rejected = NULL, soft_failed = 0, state_before = NULL, state_after = NULL
     WHERE nid IN (??)`,
    nids,
  )
  yield* deleteRelationsOf(nids)
  yield* deleteSearchDocs(nids)
  yield* run('DELETE FROM partial_events WHERE event_nid IN (??)', nids)
  return nids
}

/** What other servers have before an event; null: what they said is not believed. */
export function* setPeerState(eventNid: number, peerState: string | null): Tx<void> {
  yield* run('UPDATE partial_events SET peer_state = ? WHERE event_nid = ?', peerState, eventNid)
}
