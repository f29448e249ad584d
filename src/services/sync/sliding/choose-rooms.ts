import type { ConnectionState, ListState } from './connection-state.js'
import type { Rule, SlidingFrame } from './frame.js'
import type { News, UserWishes } from './news.js'
import { requiredState, wantsAllMembers, type StateRequest } from './required-state.js'
import type { RoomFilter } from './room-facts.js'
import type { RoomConfig } from './request.js'
import type { ListedRoom, RoomList } from './user-rooms.js'

export interface ChosenRooms {
  /** By nid. */
  readonly wanted: ReadonlyMap<number, Rule>
  readonly lists: readonly ListState[]
}

/** Which rooms the client looks at: those in the ranges of its lists, those that it subscribes to, and those that it must hear the end of. */
export async function chooseRooms(
  frame: SlidingFrame,
  list: RoomList,
  news: News,
  filter: RoomFilter,
): Promise<ChosenRooms> {
  const { request, state, viewer } = frame
  const { userId } = viewer
  const wishes = createWishes()
  const lists: ListState[] = []
  const eligible =
    request.lists.size === 0 ? [] : await eligibleRooms(userId, list.order, state, news, filter)
  for (const [name, wish] of request.lists) {
    const complete = eligible.filter((room) => isComplete(room, wish))
    const rooms = await filter.apply(userId, list, complete, wish.filters)
    lists.push([name, rooms.length, wish.filterId])
    for (const [first, last] of wish.ranges ?? [[0, rooms.length - 1]]) {
      const end = Math.min(last + 1, rooms.length)
      for (let i = first; i < end; i++) wishes.add(rooms[i]!.nid, wish, name)
    }
  }
  for (const [roomId, wish] of request.subscriptions) {
    const room = list.byId.get(roomId)
    if (room !== undefined && isComplete(room, wish) && (await mayBeShown(userId, room, news, filter)))
      wishes.add(room.nid, wish, undefined)
  }
  // The client hears of the end of what it was told, whatever it looks at now.
  for (const room of list.order) {
    if (room.activity <= frame.from) break
    const told = state.rooms.get(room.nid)
    if (told !== undefined && isOver(room) && told.membership !== room.membership) wishes.add(room.nid)
  }
  return { wanted: wishes.rules(state.meta.configs), lists }
}

/** A room whose members are not all known is shown to those who do not want them all. */
const isComplete = (room: ListedRoom, wish: RoomConfig): boolean =>
  !room.partial || room.membership !== 'join' || !wantsAllMembers(wish.state)

/** A combination of wishes; each is made once, however many rooms it is for. */
interface Wish {
  readonly lists: readonly string[]
  readonly isSubscribed: boolean
  readonly timelineLimit: number
  readonly requests: readonly StateRequest[]
  readonly further: Map<RoomConfig, Wish>
}

interface Wishes {
  /** Without a wish the room is there for its own sake, unless there is another reason. */
  add(nid: number, wish?: RoomConfig, list?: string): void
  rules(configs: readonly (string | null)[]): ReadonlyMap<number, Rule>
}

function createWishes(): Wishes {
  const wishes = new Map<number, Wish>()
  const nothing: Wish = { lists: [], isSubscribed: false, timelineLimit: 0, requests: [], further: new Map() }

  return {
    add(nid, wish, list) {
      const known = wishes.get(nid) ?? nothing
      if (wish === undefined) {
        wishes.set(nid, known)
        return
      }
      let both = known.further.get(wish)
      if (both === undefined) {
        both = {
          lists: list === undefined ? known.lists : [...known.lists, list],
          isSubscribed: known.isSubscribed || list === undefined,
          timelineLimit: Math.max(known.timelineLimit, wish.timelineLimit),
          requests: [...known.requests, wish.state],
          further: new Map(),
        }
        known.further.set(wish, both)
      }
      wishes.set(nid, both)
    },
    rules(configs) {
      const made = new Map<Wish, Rule>()
      const rules = new Map<number, Rule>()
      for (const [nid, wish] of wishes) {
        let rule = made.get(wish)
        if (rule === undefined) {
          const { lists, isSubscribed, timelineLimit } = wish
          const required = requiredState(wish.requests)
          rule = { lists, isSubscribed, timelineLimit, required, config: configs.indexOf(required.id) }
          made.set(wish, rule)
        }
        rules.set(nid, rule)
      }
      return rules
    },
  }
}

export const isOver = (room: ListedRoom): boolean => room.membership === 'leave' || room.membership === 'ban'

/**
 * The rooms of all lists: those that the user is in, is invited to or knocks at; those that they were put out of; and those that
 * they left, as long as the client thinks them in.
 */
async function eligibleRooms(
  userId: string,
  order: readonly ListedRoom[],
  state: ConnectionState,
  news: News,
  filter: RoomFilter,
): Promise<readonly ListedRoom[]> {
  const rooms: ListedRoom[] = []
  for (const room of order) {
    if (isOver(room)) {
      const told = state.rooms.get(room.nid)
      const isUntold = told !== undefined && told.membership !== room.membership
      const wasPutOut = !room.forgotten && room.sender !== userId && (await filter.wasIn(userId, room))
      if (isUntold || wasPutOut) rooms.push(room)
    } else if (room.membership !== 'invite' || !isHidden(room, await news.wishes())) rooms.push(room)
  }
  return rooms
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#invite-permission */
const isHidden = (room: ListedRoom, { noticeRoom, ignored, invites }: UserWishes): boolean =>
  room.roomId !== noticeRoom && (ignored.has(room.sender) || invites.of(room.sender) !== 'allow')

async function mayBeShown(
  userId: string,
  room: ListedRoom,
  news: News,
  filter: RoomFilter,
): Promise<boolean> {
  if (room.membership === 'invite') return !isHidden(room, await news.wishes())
  return !isOver(room) || (!room.forgotten && (await filter.wasIn(userId, room)))
}
