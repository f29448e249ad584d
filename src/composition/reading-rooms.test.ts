import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import { eventsByIds, insertMissingEvents } from '../storage/tables/events.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let alice: Requester
let bob: Requester
beforeAll(async () => {
  node = await testServices()
  alice = await node.user('alice')
  bob = await node.user('bob')
})
afterAll(() => node.close())

const create = async (preset: 'public_chat' | 'private_chat' = 'public_chat'): Promise<string> =>
  (await node.services.roomCreation.create(alice, { preset })).room_id

let txn = 0
const say = (roomId: string, content: object): Promise<{ event_id: string }> =>
  node.services.sending.message(alice, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body: 'x', ...content },
    txnId: String(++txn),
  })

describe('GET /rooms/{roomId}/messages', () => {
  it('goes on after the last page that a filter has thinned out, and ends with the next, which is empty', async () => {
    const roomId = await create()
    await say(roomId, {})
    const { event_id: id } = await say(roomId, { url: 'mxc://ours.example/x' })
    const page = (from?: string) =>
      node.services.history.messages(alice, { roomId, dir: 'b', from, filter: { contains_url: true } })
    const first = await page()
    expect(first).toMatchObject({ chunk: [{ event_id: id }], end: expect.any(String) })
    const second = await page(first['end'] as string)
    expect(second['chunk']).toEqual([])
    expect(second).not.toHaveProperty('end')
    const all = await node.services.history.messages(alice, { roomId, dir: 'b', limit: 100 })
    expect(all).not.toHaveProperty('end')
  })

  it('without a direction tells those who may read the room what is missing, and others nothing else than ever', async () => {
    const roomId = await create('private_chat')
    const ask = (user: Requester) => node.services.history.messages(user, { roomId, dir: undefined })
    await expect(ask(alice)).rejects.toMatchObject({ errcode: 'M_MISSING_PARAM' })
    await expect(ask(bob)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
  })
})

describe('GET /rooms/{roomId}/members', () => {
  it('at the beginning of a timeline that holds all of a young room gives its creator alone', async () => {
    const roomId = await create()
    await say(roomId, {})
    const { rooms } = await node.sync(alice, {})
    const at = rooms.join[roomId].timeline.prev_batch as string
    await node.services.memberships.join(bob, { room: roomId, via: [] })
    const members = await node.services.history.members(alice, roomId, { at })
    expect(members.map((event) => event['state_key'])).toEqual([alice.userId])
    expect(await node.services.history.members(alice, roomId, {})).toHaveLength(2)
  })
})

describe('a member event', () => {
  it('says who had changed the membership before', async () => {
    const roomId = await create('private_chat')
    await node.services.memberships.invite(alice, { roomId, userId: bob.userId, content: {} })
    await node.services.memberships.join(bob, { room: roomId, via: [] })
    const state = await node.services.history.state(alice, roomId)
    expect(state.find((event) => event['state_key'] === bob.userId)?.['unsigned']).toMatchObject({
      prev_content: { membership: 'invite' },
      prev_sender: alice.userId,
    })
  })
})

describe('a new public room', () => {
  it('lets its administrators alone invite, and has no event that says what holds anyway', async () => {
    const roomId = await create()
    const state = await node.services.history.state(alice, roomId)
    expect(state.find((event) => event['type'] === 'm.room.power_levels')).toMatchObject({
      content: { invite: 50 },
    })
    expect(state.some((event) => event['type'] === 'm.room.guest_access')).toBe(false)
  })
})

describe('a timeline with a hole', () => {
  it('ends at the hole, is limited, and pages go on from there', async () => {
    const roomId = await create()
    const { next_batch: since } = await node.sync(alice)
    const { event_id: before } = await say(roomId, {})
    const { event_id: first } = await say(roomId, {})
    const { event_id: second } = await say(roomId, {})
    await node.store.write('test.hole', function* () {
      const row = (yield* eventsByIds([first]))[0]!
      yield* insertMissingEvents([
        { roomNid: row.room_nid, eventId: '$lost', referrer: row.nid, depth: row.depth },
      ])
    })
    const { timeline } = (await node.sync(alice, { since })).rooms.join[roomId]
    expect(timeline.events.map((event: { event_id: string }) => event.event_id)).toEqual([first, second])
    expect(timeline.limited).toBe(true)
    const page = await node.services.history.messages(alice, {
      roomId,
      dir: 'b',
      from: timeline.prev_batch,
      limit: 1,
      localOnly: true,
    })
    expect(page['chunk']).toMatchObject([{ event_id: before }])
  })
})

describe('the power of a creator', () => {
  it('cannot be set by anybody, so who tries is told that the content is wrong', async () => {
    const { room_id: roomId } = await node.services.roomCreation.create(alice, { room_version: '12' })
    const content = { users: { [alice.userId]: 100 } }
    await expect(
      node.services.sending.state(alice, { roomId, type: 'm.room.power_levels', stateKey: '', content }),
    ).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    await expect(
      node.services.roomCreation.create(alice, { room_version: '12', power_level_content_override: content }),
    ).rejects.toMatchObject({ errcode: 'M_INVALID_ROOM_STATE' })
  })
})

describe('the create event', () => {
  it('cannot be sent again, and who tries is told that the request is wrong', async () => {
    for (const version of ['11', '12']) {
      const { room_id: roomId } = await node.services.roomCreation.create(alice, { room_version: version })
      const content = { room_version: version, again: true }
      await expect(
        node.services.sending.state(alice, { roomId, type: 'm.room.create', stateKey: '', content }),
      ).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    }
  })
})
