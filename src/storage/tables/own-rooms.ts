import { all, one, type Tx } from '../tx.js'
import type { MembershipRow } from './memberships.js'

/** A membership of the syncing user with what tells whether its room has news. */
export interface OwnRoom extends MembershipRow {
  readonly room_id: string
  readonly last_pos: number
  readonly state_root: string | null
  /** 1: its members are not all known yet. */
  readonly partial: number
  /** Since when they are. */
  readonly whole_pos: number
}

const OWN_ROOMS = `SELECT m.*, r.room_id, r.last_pos, r.state_root, r.partial, r.whole_pos FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ? AND ((m.membership IN ('join', 'invite', 'knock') AND m.forgotten = 0)
       OR (m.pos > ? AND (m.forgotten = 0 OR ? > 0)))`

/**
 * Rooms that the user is in, is invited to or knocks at, and those that they left after `since`. Rooms that they have
 * forgotten too, unless `since` is 0: their other devices hear that they left.
 */
export function* ownRooms(userId: string, since: number): Tx<readonly OwnRoom[]> {
  return yield* all<OwnRoom>(OWN_ROOMS, userId, since, since)
}

/** Those of `ownRooms` with an event or a change of membership after `since`, and those named. */
export function* ownRoomsWithNews(
  userId: string,
  since: number,
  named: readonly number[],
): Tx<readonly OwnRoom[]> {
  // Mostly none is named; a list costs as much as all the rest.
  if (named.length === 0)
    return yield* all<OwnRoom>(
      `${OWN_ROOMS} AND (r.last_pos > ? OR m.pos > ?)`,
      userId,
      since,
      since,
      since,
      since,
    )
  return yield* all<OwnRoom>(
    `${OWN_ROOMS} AND (r.last_pos > ? OR m.pos > ? OR r.nid IN (??))`,
    userId,
    since,
    since,
    since,
    since,
    named,
  )
}

/** How many have joined and are invited. */
export function* memberCounts(roomNid: number): Tx<{ readonly joined: number; readonly invited: number }> {
  const counts = yield* all<{ membership: string; n: number }>(
    `SELECT membership, COUNT(*) AS n FROM memberships WHERE room_nid = ? AND membership IN ('join', 'invite') GROUP BY membership`,
    roomNid,
  )
  const count = (membership: string): number =>
    Number(counts.find((row) => row.membership === membership)?.n ?? 0)
  return { joined: count('join'), invited: count('invite') }
}

/** A few members to make a room's name of: those in it or invited, or else those who were. */
export function* heroesOf(roomNid: number, userId: string): Tx<readonly string[]> {
  const present = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN ('join', 'invite') AND user_id <> ? ORDER BY pos, user_id LIMIT 5`,
    roomNid,
    userId,
  )
  if (present.length > 0) return present.map((row) => row.user_id)
  const gone = yield* all<{ user_id: string }>(
    `SELECT user_id FROM memberships WHERE room_nid = ? AND membership IN ('leave', 'ban') AND user_id <> ? ORDER BY pos, user_id LIMIT 5`,
    roomNid,
    userId,
  )
  return gone.map((row) => row.user_id)
}

/** A membership of any kind with what orders the user's rooms. Forgotten ones too. */
const ALL_OWN_ROOMS = `SELECT m.*, r.room_id, r.last_pos, r.state_root, r.partial, r.whole_pos FROM memberships m JOIN rooms r ON r.nid = m.room_nid
     WHERE m.user_id = ?`

/** Every room that the user has or had a membership in. */
export function* everyOwnRoom(userId: string): Tx<readonly OwnRoom[]> {
  return yield* all<OwnRoom>(ALL_OWN_ROOMS, userId)
}

/** Some of them, as they are now. */
export function* ownRoomsByNids(userId: string, nids: readonly number[]): Tx<readonly OwnRoom[]> {
  return yield* all<OwnRoom>(`${ALL_OWN_ROOMS} AND m.room_nid IN (??)`, userId, nids)
}

/**
 * Those with an event or a change of membership after `since`. While few rooms of the server have news it costs by these, whatever the
 * number of the user's rooms; else by the latter.
 */
export function* ownRoomsSince(userId: string, since: number): Tx<readonly OwnRoom[]> {
  const busy = yield* all<{ nid: number }>(
    'SELECT nid FROM rooms WHERE last_pos > ? ORDER BY last_pos LIMIT ?',
    since,
    MAX_BUSY + 1,
  )
  if (busy.length > MAX_BUSY)
    return yield* all<OwnRoom>(`${ALL_OWN_ROOMS} AND (r.last_pos > ? OR m.pos > ?)`, userId, since, since)
  const changed = yield* all<{ room_nid: number }>(
    'SELECT room_nid FROM memberships WHERE user_id = ? AND pos > ?',
    userId,
    since,
  )
  const nids = new Set([...busy.map((row) => row.nid), ...changed.map((row) => row.room_nid)])
  return nids.size === 0 ? [] : yield* ownRoomsByNids(userId, [...nids])
}

/** Rooms looked up by their own number rather than by the user. */
const MAX_BUSY = 200

/** Rooms that the user has forgotten. */
export function* forgottenRoomsOf(userId: string): Tx<readonly number[]> {
  const rows = yield* all<{ room_nid: number }>(
    `SELECT room_nid FROM memberships WHERE user_id = ? AND membership IN ('leave', 'ban') AND forgotten = 1`,
    userId,
  )
  return rows.map((row) => row.room_nid)
}

/** Position of the latest event of some types in a room up to `upTo`, among its latest `scanned`; undefined for none. Pre: the types are few and mostly the same. */
export function* latestOfTypes(
  roomNid: number,
  types: readonly string[],
  upTo: number,
  scanned: number,
): Tx<number | undefined> {
  const row = yield* one<{ pos: number }>(
    `SELECT pos FROM (SELECT pos, type FROM events WHERE room_nid = ? AND pos <= ? AND soft_failed = 0
       ORDER BY pos DESC LIMIT ?) latest WHERE type IN (${types.map(() => '?').join(', ')}) ORDER BY pos DESC LIMIT 1`,
    roomNid,
    upTo,
    scanned,
    ...types,
  )
  return row?.pos
}
