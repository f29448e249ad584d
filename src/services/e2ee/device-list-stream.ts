import { appendTo } from '../../core/append-to.js'
import type { Json } from '../../core/json/value.js'
import { isObject } from '../../core/json/value.js'
import {
  deviceListChangesBetween,
  joinedRoomNids,
  joinedUsersOf,
  memberDeltasInRoomsOf,
  ownMemberDeltas,
  roomsWholeBetween,
  roomsWithOwnChange,
  sharingAmongMany,
  userSignatureChangesBetween,
  usersWithDeltaIn,
  type MemberDelta,
} from '../../storage/tables/device-list-changes.js'
import type { Tx } from '../../storage/tx.js'
import { chunks } from './results.js'

export interface DeviceLists {
  readonly changed: readonly string[]
  readonly left: readonly string[]
}

/** Beyond this many member changes nobody looks at each: everybody concerned is named. Naming one too many is harmless. */
const MAX_DELTAS = 2_000
const CANDIDATES = 5_000

/** Whether a member event, as JSON, says that its user is in the room. */
export const isJoin = (eventJson: string | null): boolean => {
  if (eventJson === null) return false
  const event = JSON.parse(eventJson) as Json
  const content = isObject(event) ? event['content'] : undefined
  return isObject(content) && content['membership'] === 'join'
}

interface OwnRooms {
  /** Rooms that the user joined in the range, also after having left them in it. */
  readonly joined: readonly number[]
  /** Rooms that the user had joined before the range and has no more. */
  readonly left: readonly number[]
}

function* ownRooms(userId: string, from: number, to: number): Tx<OwnRooms> {
  const touched = yield* roomsWithOwnChange(userId, from)
  const deltas = yield* ownMemberDeltas(
    userId,
    touched.map((row) => row.room_nid),
    from,
    to,
  )
  const byRoom = new Map<number, MemberDelta[]>()
  for (const delta of deltas) {
    appendTo(byRoom, delta.room_nid, delta)
  }
  const joined: number[] = []
  const left: number[] = []
  for (const { room_nid: room, membership, pos } of touched) {
    const own = byRoom.get(room) ?? []
    if (membership === 'join') {
      // A membership of this range without a change of state in it came with the whole room, from another server.
      const whole = own.length === 0 && pos <= to
      if (whole || own.some((delta) => !isJoin(delta.before) && isJoin(delta.after))) joined.push(room)
    } else if (own[0] !== undefined && isJoin(own[0].before)) left.push(room)
  }
  return { joined, left }
}

/**
 * Whose devices the user must ask for again, and whose they may forget, between two positions:
 * `changed` are users who share a room with them now and whose keys changed, or with whom they began to share a room;
 * `left` are users with whom they shared a room and share none now.
 *
 * Sharing is judged as of now, not as of `to`: whoever comes or goes after `to` is told in the next range.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#e2e-extensions-to-sync
 */
export function* deviceListsBetween(userId: string, from: number, to: number): Tx<DeviceLists> {
  if (to <= from) return { changed: [], left: [] }
  /** To be named if they share a room. */
  const news = new Set(yield* deviceListChangesBetween(from, to))
  /** To be named as left if they share none. */
  const goers = new Set<string>()

  const rooms = yield* ownRooms(userId, from, to)
  const entered = [...new Set([...rooms.joined, ...(yield* roomsWholeBetween(userId, from, to))])]
  const sharing = new Set(yield* joinedUsersOf(entered))
  for (const other of sharing) news.add(other)
  for (const other of yield* joinedUsersOf(rooms.left)) goers.add(other)
  // Those who left the same room in the same time, before or after the user.
  for (const other of yield* usersWithDeltaIn(rooms.left, from, to)) goers.add(other)

  const deltas = yield* memberDeltasInRoomsOf(userId, from, to, MAX_DELTAS + 1)
  const many = deltas.length > MAX_DELTAS
  if (many) {
    for (const other of yield* usersWithDeltaInRoomsOf(userId, from, to)) {
      news.add(other)
      goers.add(other)
    }
  } else {
    for (const delta of deltas) {
      const before = isJoin(delta.before)
      const after = isJoin(delta.after)
      if (!before && after) news.add(delta.user_id)
      if (before && !after) goers.add(delta.user_id)
    }
  }

  const candidates = [...new Set([...news, ...goers])].filter(
    (other) => other !== userId && !sharing.has(other),
  )
  for (const part of chunks(candidates, CANDIDATES)) {
    for (const other of yield* sharingAmongMany(userId, part)) sharing.add(other)
  }
  const changed = new Set([...news].filter((other) => other === userId || sharing.has(other)))
  for (const other of yield* userSignatureChangesBetween(userId, from, to)) changed.add(other)
  const left = [...goers].filter((other) => other !== userId && !sharing.has(other))
  return { changed: [...changed], left: left.filter((other) => !changed.has(other)) }
}

function* usersWithDeltaInRoomsOf(userId: string, from: number, to: number): Tx<readonly string[]> {
  const rooms = yield* joinedRoomNids(userId)
  const users = new Set<string>()
  for (const part of chunks(rooms, CANDIDATES)) {
    for (const other of yield* usersWithDeltaIn(part, from, to)) users.add(other)
  }
  return [...users]
}
