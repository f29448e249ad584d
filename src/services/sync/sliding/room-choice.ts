import { chooseRooms, isOver, type ChosenRooms } from './choose-rooms.js'
import { NOTHING_TOLD, UP_TO_DATE, type ConnectionState } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { News } from './news.js'
import type { RoomFilter } from './room-facts.js'
import type { RoomList } from './user-rooms.js'

/** Nids of rooms that the client looks at and has not been told all of, stream by stream. */
export interface Unfinished {
  readonly rooms: readonly number[]
  readonly typing: readonly number[]
  readonly receipts: readonly number[]
  readonly accountData: readonly number[]
  readonly profiles: readonly number[]
}

/** The rooms that a client looks at. */
export interface RoomChoice extends ChosenRooms {
  readonly unfinished: Unfinished
}

export interface RoomChoices {
  of(frame: SlidingFrame, list: RoomList, news: News): Promise<RoomChoice>
}

interface Kept {
  readonly order: RoomList['order']
  readonly direct: RoomList['direct']
  readonly requestId: string
  readonly choice: RoomChoice
}

/**
 * Keeps with each state of a connection what was chosen last: while the user's list of rooms stays as it is, and the client asks for the
 * same, so does the choice, and an answer costs nothing by the number of rooms.
 */
export function createRoomChoices(filter: RoomFilter): RoomChoices {
  const kept = new WeakMap<ConnectionState, Kept>()

  return {
    async of(frame, list, news) {
      const { request, state } = frame
      const { order, direct } = list
      const known = kept.get(state)
      const isKept =
        known !== undefined &&
        known.order === order &&
        known.direct === direct &&
        known.requestId === request.id
      const ends = hasUntoldEnd(frame, list)
      if (isKept && !ends) return known.choice
      const chosen = await chooseRooms(frame, list, news, filter)
      const choice = { ...chosen, unfinished: unfinishedOf(frame, chosen, list) }
      const isLasting = !ends && state !== NOTHING_TOLD && !dependsOnMore(frame, list)
      if (isLasting) kept.set(state, { order, direct, requestId: request.id, choice })
      return choice
    },
  }
}

/** Since the client's position the user went out of a room, and the client thinks them in. */
function hasUntoldEnd({ state, from }: SlidingFrame, list: RoomList): boolean {
  for (const room of list.order) {
    if (room.activity <= from) return false
    const told = state.rooms.get(room.nid)
    if (told !== undefined && isOver(room) && told.membership !== room.membership) return true
  }
  return false
}

/** Whether the choice goes by account data: whose invites the user wants, and how they tag rooms. */
const dependsOnMore = ({ request }: SlidingFrame, list: RoomList): boolean =>
  list.order.some((room) => room.membership === 'invite') ||
  [...request.lists.values()].some(
    ({ filters }) => filters.tags !== undefined || filters.notTags !== undefined,
  )

function unfinishedOf({ state }: SlidingFrame, { wanted }: ChosenRooms, list: RoomList): Unfinished {
  const rooms: number[] = []
  const typing: number[] = []
  const receipts: number[] = []
  const accountData: number[] = []
  const profiles: number[] = []
  for (const [nid, rule] of wanted) {
    const room = list.rooms.get(nid)!
    const told = state.rooms.get(nid)
    if (
      told === undefined ||
      told.room !== UP_TO_DATE ||
      told.isDm !== list.direct.has(room.roomId) ||
      (room.membership === 'join' && (rule.timelineLimit > told.timeline || told.config !== rule.config))
    )
      rooms.push(nid)
    // Of a room that is new to the client the streams begin once it is told.
    if (told === undefined) continue
    if (told.typingMissed) typing.push(nid)
    if (told.receipts !== UP_TO_DATE) receipts.push(nid)
    if (told.accountData !== UP_TO_DATE) accountData.push(nid)
    if (told.profilesTold !== true) profiles.push(nid)
  }
  return { rooms, typing, receipts, accountData, profiles }
}
