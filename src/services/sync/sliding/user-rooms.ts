import { isObject, type Json } from '../../../core/json/value.js'
import {
  accountDataBetween,
  accountDataOfRooms,
  type AccountDataRow,
} from '../../../storage/tables/account-data.js'
import {
  everyOwnRoom,
  forgottenRoomsOf,
  ownRoomsSince,
  type OwnRoom,
} from '../../../storage/tables/own-rooms.js'
import type { Store } from '../../../storage/tx.js'

/** What filters look at. */
export interface RoomFacts {
  readonly isEncrypted: boolean
  readonly type: string | null
  /** In lower case. */
  readonly name: string
}

/** A room of a user, as their list shows it. */
export interface ListedRoom {
  readonly nid: number
  readonly roomId: string
  readonly membership: string
  /** Who sent the membership. */
  readonly sender: string
  /** Position at which the membership began. */
  readonly memberPos: number
  /** By which the list is ordered: the last activity that concerns the user. */
  readonly activity: number
  /** The user has left it and wants to see no more of it; a client that thinks them in is still told that they left. */
  readonly forgotten: boolean
  /** The room's state as of now; null where this server knows none. */
  readonly root: string | null
  /** Its members are not all known yet. */
  readonly partial: boolean
  readonly strippedState: string | null
  /** What filters look at; read when one asks. */
  facts: RoomFacts | undefined
  /** For who was put out: whether they had been in the room. */
  wasIn: boolean | undefined
}

/** The rooms of a user at one position, the latest activity first. */
export interface RoomList {
  readonly at: number
  readonly rooms: ReadonlyMap<number, ListedRoom>
  readonly byId: ReadonlyMap<string, ListedRoom>
  readonly order: readonly ListedRoom[]
  /** Ids of the rooms that are direct chats. */
  readonly direct: ReadonlySet<string>
  /** There are rooms that the user was put out of: those that they forget go without a new position. */
  readonly mayBeForgotten: boolean
}

/** Keeps users' lists in memory and brings them up to date by what changed. What it gives is for order and choice; it permits nothing. */
export interface UserRooms {
  /** `known`: what was read of the user's account data, in (from, upTo]. */
  of(userId: string, upTo: number, known?: KnownData): Promise<RoomList>
}

interface KnownData {
  readonly from: number
  readonly data: readonly AccountDataRow[]
}

/** Rooms, over all lists in memory. */
const MAX_CACHED_ROOMS = 300_000

export function createUserRooms(deps: { readonly store: Store }): UserRooms {
  const { store } = deps
  const lists = new Map<string, RoomList>()
  let weight = 0

  function keep(userId: string, list: RoomList): RoomList {
    const old = lists.get(userId)
    if (old !== undefined && old.at > list.at) return list
    if (old !== undefined) weight -= old.rooms.size + 1
    lists.delete(userId)
    lists.set(userId, list)
    weight += list.rooms.size + 1
    while (weight > MAX_CACHED_ROOMS && lists.size > 1) {
      const [oldest, gone] = lists.entries().next().value!
      lists.delete(oldest)
      weight -= gone.rooms.size + 1
    }
    return list
  }

  async function whole(userId: string, upTo: number): Promise<RoomList> {
    const { rows, direct } = await store.read('sliding.rooms', function* () {
      return { rows: yield* everyOwnRoom(userId), direct: yield* accountDataOfRooms(userId, [''], upTo) }
    })
    const rooms = new Map(rows.map((row) => [row.room_nid, listed(row)]))
    return {
      at: upTo,
      rooms,
      byId: new Map([...rooms.values()].map((room) => [room.roomId, room])),
      order: [...rooms.values()].toSorted(later),
      direct: directRooms(direct.find((row) => row.type === 'm.direct')?.content),
      mayBeForgotten: [...rooms.values()].some((room) => isPutOut(room, userId)),
    }
  }

  async function changed(
    userId: string,
    list: RoomList,
    upTo: number,
    known: KnownData | undefined,
  ): Promise<RoomList> {
    // From 0 on deletions are not among it.
    const isKnown = known !== undefined && known.from > 0 && known.from <= list.at
    const { rows, data, forgotten } = await store.read('sliding.roomsSince', function* () {
      return {
        rows: yield* ownRoomsSince(userId, list.at),
        data: isKnown
          ? known.data.filter((row) => row.pos > list.at)
          : yield* accountDataBetween(userId, list.at, upTo),
        forgotten: list.mayBeForgotten ? yield* forgottenRoomsOf(userId) : [],
      }
    })
    const direct = data.findLast((row) => row.room_id === '' && row.type === 'm.direct')
    const gone = forgotten.flatMap((nid) => {
      const room = list.rooms.get(nid)
      return room === undefined || room.forgotten ? [] : { ...room, forgotten: true }
    })
    const isSame = rows.length === 0 && direct === undefined && gone.length === 0
    if (isSame) return { ...list, at: Math.max(list.at, upTo) }
    const rooms = new Map(list.rooms)
    const byId = new Map(list.byId)
    const touched = new Set<number>()
    const fresh: ListedRoom[] = []
    for (const room of [...gone, ...rows.map(listed)]) {
      touched.add(room.nid)
      rooms.set(room.nid, room)
      byId.set(room.roomId, room)
    }
    for (const nid of touched) fresh.push(rooms.get(nid)!)
    const rest = list.order.filter((room) => !touched.has(room.nid))
    return {
      at: Math.max(list.at, upTo),
      rooms,
      byId,
      order: merge(fresh.toSorted(later), rest),
      direct: direct === undefined ? list.direct : directRooms(direct.content),
      mayBeForgotten: [...rooms.values()].some((room) => isPutOut(room, userId)),
    }
  }

  return {
    async of(userId, upTo, known) {
      const list = lists.get(userId)
      if (list === undefined) return keep(userId, await whole(userId, upTo))
      if (list.at >= upTo && !list.mayBeForgotten) return list
      return keep(userId, await changed(userId, list, upTo, known))
    },
  }
}

const listed = (row: OwnRoom): ListedRoom => ({
  nid: row.room_nid,
  roomId: row.room_id,
  membership: row.membership,
  sender: row.sender,
  memberPos: row.pos,
  // What happens in a room after the user was in it is no activity of theirs.
  activity: row.membership === 'join' ? Math.max(row.last_pos, row.pos) : row.pos,
  forgotten: row.forgotten === 1,
  root: row.state_root,
  partial: row.partial === 1,
  strippedState: row.stripped_state,
  facts: undefined,
  wasIn: undefined,
})

const isPutOut = (room: ListedRoom, userId: string): boolean =>
  !room.forgotten && room.sender !== userId && (room.membership === 'leave' || room.membership === 'ban')

const later = (a: ListedRoom, b: ListedRoom): number => b.activity - a.activity || b.nid - a.nid

/** Both are in order. What is new mostly comes first. */
function merge(fresh: readonly ListedRoom[], rest: readonly ListedRoom[]): ListedRoom[] {
  const out: ListedRoom[] = []
  let at = 0
  for (const room of fresh) {
    while (at < rest.length && later(rest[at]!, room) < 0) out.push(rest[at++]!)
    out.push(room)
  }
  return out.concat(rest.slice(at))
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#mdirect */
function directRooms(content: string | undefined): ReadonlySet<string> {
  const byUser = content === undefined ? {} : (JSON.parse(content) as Json)
  if (!isObject(byUser)) return new Set()
  return new Set(
    Object.values(byUser).flatMap((rooms) =>
      Array.isArray(rooms) ? rooms.filter((id): id is string => typeof id === 'string') : [],
    ),
  )
}
