import { describe, expect, it } from '@jest/globals'
import { UP_TO_DATE, type ConnectionState, type RoomState } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { News } from './news.js'
import { slidingRequest } from './request.js'
import { createRoomChoices, type RoomChoice } from './room-choice.js'
import type { RoomFilter } from './room-facts.js'
import type { ListedRoom, RoomList } from './user-rooms.js'

const ME = '@me:one.example'

function room(nid: number, activity: number, membership = 'join'): ListedRoom {
  return {
    nid,
    roomId: `!${nid}:one.example`,
    membership,
    sender: ME,
    memberPos: activity,
    activity,
    forgotten: false,
    root: null,
    partial: false,
    strippedState: null,
    facts: undefined,
    wasIn: undefined,
  }
}

function listOf(...order: ListedRoom[]): RoomList {
  return {
    at: 100,
    rooms: new Map(order.map((item) => [item.nid, item])),
    byId: new Map(order.map((item) => [item.roomId, item])),
    order,
    direct: new Set(),
    mayBeForgotten: false,
  }
}

const told = (part: Partial<RoomState> = {}): RoomState => ({
  room: UP_TO_DATE,
  membership: 'join',
  timeline: 1,
  config: 0,
  isDm: false,
  receipts: UP_TO_DATE,
  accountData: UP_TO_DATE,
  typingMissed: false,
  members: [],
  ...part,
})

function stateOf(rooms: readonly (readonly [number, RoomState])[]): ConnectionState {
  // As `requiredState` names a request that asks for nothing.
  const nothing = '[{"include":[],"exclude":[],"always":[],"lazyMembers":false}]'
  return {
    meta: { configs: [nothing], lists: [], accountData: UP_TO_DATE, deviceLists: null },
    rooms: new Map(rooms),
  }
}

const request = (filters: object = {}) =>
  slidingRequest({ lists: { all: { ranges: [[0, 9]], timeline_limit: 1, filters } } }, { pos: 'p' }, ME)

const frameOf = (state: ConnectionState, asked = request()): SlidingFrame => ({
  viewer: { userId: ME, deviceId: 'D' },
  request: asked,
  state,
  from: 90,
  upTo: 100,
  typingFrom: 0,
})

const filter: RoomFilter = {
  apply: (_user, _list, rooms) => Promise.resolve(rooms),
  wasIn: () => Promise.resolve(true),
}

const news: News = {
  data: [],
  receipts: new Set(),
  ownReceipts: new Set(),
  wishes: () =>
    Promise.resolve({
      ignored: new Set(),
      invites: { of: () => 'allow' },
      noticeRoom: undefined,
    }),
}

describe('the rooms that a client of sliding sync looks at', () => {
  const state = stateOf([
    [1, told()],
    [2, told({ typingMissed: true, receipts: undefined })],
    [3, told({ room: 50, accountData: 60 })],
  ])

  it('are without those whose members are not known yet, where all members are wanted', async () => {
    const list = listOf(
      room(1, 30),
      { ...room(2, 20), partial: true },
      { ...room(3, 10, 'invite'), partial: true },
    )
    const wantedFor = async (...pairs: [string, string][]): Promise<number[]> => {
      const asked = slidingRequest(
        { lists: { all: { ranges: [[0, 9]], timeline_limit: 1, required_state: pairs } } },
        { pos: 'p' },
        ME,
      )
      return [...(await createRoomChoices(filter).of(frameOf(state, asked), list, news)).wanted.keys()]
    }
    expect(await wantedFor(['m.room.member', '*'])).toEqual([1, 3])
    expect(await wantedFor(['*', '*'])).toEqual([1, 3])
    expect(await wantedFor(['m.room.member', '$LAZY'], ['m.room.name', ''])).toEqual([1, 2, 3])
    expect(await wantedFor(['*', '*'], ['m.room.member', '$LAZY'])).toEqual([1, 2, 3])
    expect(await wantedFor(['m.room.member', '$ME'])).toEqual([1, 2, 3])
  })

  it('are chosen once while the list, the request and what the client was told stay as they are', async () => {
    const choices = createRoomChoices(filter)
    const list = listOf(room(1, 30), room(2, 20), room(3, 10))
    const first = await choices.of(frameOf(state), list, news)
    expect([...first.wanted.keys()]).toEqual([1, 2, 3])
    expect(await choices.of(frameOf(state), { ...list, at: 101 }, news)).toBe(first)
    const others: RoomChoice[] = [
      await choices.of(frameOf(state), listOf(room(1, 99), room(2, 20), room(3, 10)), news),
      await choices.of(frameOf(state, request({ is_dm: false })), list, news),
      await choices.of(frameOf({ ...state }), list, news),
      await choices.of(frameOf(state), { ...list, direct: new Set(['!1:one.example']) }, news),
    ]
    for (const other of others) expect(other).not.toBe(first)
  })

  it('are told apart by what the client has not been told of them', async () => {
    const list = listOf(room(1, 30), room(2, 20), room(3, 10), room(4, 5))
    const { unfinished } = await createRoomChoices(filter).of(frameOf(state), list, news)
    expect(unfinished).toMatchObject({ rooms: [3, 4], typing: [2], receipts: [2], accountData: [3] })
  })

  it('are chosen anew where invites or tags decide, which the list does not tell', async () => {
    const choices = createRoomChoices(filter)
    const invited = listOf(room(1, 30), room(2, 20, 'invite'))
    const first = await choices.of(frameOf(state), invited, news)
    expect(await choices.of(frameOf(state), invited, news)).not.toBe(first)
    const list = listOf(room(1, 30))
    const tagged = frameOf(state, request({ tags: ['m.favourite'] }))
    const second = await choices.of(tagged, list, news)
    expect(await choices.of(tagged, list, news)).not.toBe(second)
  })

  it('have the one that the user has just left among them, until the client was told', async () => {
    const choices = createRoomChoices(filter)
    const list = listOf(room(3, 95, 'leave'), room(1, 30))
    const first = await choices.of(frameOf(state), list, news)
    expect(first.wanted.has(3)).toBe(true)
    expect(await choices.of(frameOf(state), list, news)).not.toBe(first)
  })
})
