import type { ConnectionState } from './connection-state.js'
import type { SlidingFrame, WantedRoom } from './frame.js'
import type { News } from './news.js'
import { requiredState, type RequiredState, type StateRequest } from './required-state.js'
import type { RoomFilter } from './room-facts.js'
import type { ListedRoom, RoomList } from './user-rooms.js'
import type { ListState } from './connection-state.js'

export interface ChosenRooms {
  /** By nid, in the order of the room list. */
  readonly wanted: ReadonlyMap<number, WantedRoom>
  readonly lists: readonly ListState[]
}

interface Choice {
  readonly room: ListedRoom
  readonly lists: string[]
  isSubscribed: boolean
  timelineLimit: number
  readonly requests: StateRequest[]
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
  const choices = new Map<number, Choice>()
  const choiceOf = (room: ListedRoom): Choice => {
    let choice = choices.get(room.nid)
    if (choice === undefined) {
      choice = { room, lists: [], isSubscribed: false, timelineLimit: 0, requests: [] }
      choices.set(room.nid, choice)
    }
    return choice
  }

  const lists: ListState[] = []
  const eligible =
    request.lists.size === 0 ? [] : await eligibleRooms(userId, list.order, state, news, filter)
  for (const [name, wish] of request.lists) {
    const rooms = await filter.apply(userId, list, eligible, wish.filters)
    lists.push([name, rooms.length, wish.filterId])
    for (const [first, last] of wish.ranges ?? [[0, rooms.length - 1]]) {
      for (const room of rooms.slice(first, last + 1)) {
        const choice = choiceOf(room)
        if (choice.lists.at(-1) === name) continue
        choice.lists.push(name)
        choice.timelineLimit = Math.max(choice.timelineLimit, wish.timelineLimit)
        choice.requests.push(wish.state)
      }
    }
  }
  for (const [roomId, wish] of request.subscriptions) {
    const room = list.byId.get(roomId)
    if (room === undefined || !(await mayBeShown(userId, room, news, filter))) continue
    const choice = choiceOf(room)
    choice.isSubscribed = true
    choice.timelineLimit = Math.max(choice.timelineLimit, wish.timelineLimit)
    choice.requests.push(wish.state)
  }
  // The client hears of the end of what it was told, whatever it looks at now.
  for (const room of list.order) {
    if (room.activity <= frame.from) break
    const told = state.rooms.get(room.nid)
    if (told !== undefined && isOver(room) && !choices.has(room.nid) && told.membership !== room.membership)
      choiceOf(room)
  }

  const known = new Map<string, RequiredState>()
  const merged = (requests: readonly StateRequest[]): RequiredState => {
    const made = requiredState(requests)
    const same = known.get(made.id)
    if (same !== undefined) return same
    known.set(made.id, made)
    return made
  }
  const byLists = new Map<string, RequiredState>()
  const wanted = [...choices.values()]
    .toSorted((a, b) => b.room.activity - a.room.activity || b.room.nid - a.room.nid)
    .map((choice): [number, WantedRoom] => {
      const { room, lists: names, isSubscribed, timelineLimit, requests } = choice
      // Most rooms are there by the same lists.
      const key = isSubscribed ? undefined : JSON.stringify(names)
      const required = (key === undefined ? undefined : byLists.get(key)) ?? merged(requests)
      if (key !== undefined) byLists.set(key, required)
      return [room.nid, { room, lists: names, isSubscribed, timelineLimit, required }]
    })
  return { wanted: new Map(wanted), lists }
}

const isOver = (room: ListedRoom): boolean => room.membership === 'leave' || room.membership === 'ban'

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
    } else if (room.membership !== 'invite' || !isHidden(room, news)) rooms.push(room)
  }
  return rooms
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#invite-permission */
const isHidden = (room: ListedRoom, news: News): boolean => news.hidesInvites || news.ignored.has(room.sender)

async function mayBeShown(
  userId: string,
  room: ListedRoom,
  news: News,
  filter: RoomFilter,
): Promise<boolean> {
  if (room.membership === 'invite') return !isHidden(room, news)
  return !isOver(room) || (!room.forgotten && (await filter.wasIn(userId, room)))
}
