import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import type { SlidingBody } from '../services/sync/sliding/request.js'
import { slide, type SlidingAnswer } from '../services/sync/sliding/testing-sliding.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
let ann: Requester
let ben: Requester
let txn = 0
beforeEach(async () => {
  node = await testServices()
  ann = { ...(await node.user('ann')), deviceId: 'PHONE' }
  ben = { ...(await node.user('ben')), deviceId: 'LAPTOP' }
})
afterEach(() => node.close())

async function room(): Promise<string> {
  const { services } = node
  const { room_id: roomId } = await services.roomCreation.create(ben, { preset: 'public_chat' })
  await services.memberships.join(ann, { room: roomId, via: [] })
  return roomId
}
async function say(roomId: string): Promise<string> {
  const content = { msgtype: 'm.text', body: 'x' }
  const txnId = `t${txn++}`
  return (await node.services.sending.message(ben, { roomId, type: 'm.room.message', content, txnId }))
    .event_id
}
const type = (roomId: string, typing: boolean): Promise<unknown> =>
  node.services.typingNotices.set(ben, {
    roomId,
    userId: ben.userId,
    timeoutMs: typing ? 60_000 : undefined,
  })
const setData = (roomId: string, name: string, content: object): Promise<unknown> =>
  node.services.accountData.set(ann.userId, roomId, name, content as never)
const ask = (body: SlidingBody, pos?: string): Promise<SlidingAnswer> =>
  slide(node.services, ann, body, { pos })

type Scope = { enabled: boolean; lists?: string[]; rooms?: string[] }
/** The latest room in a list, others by subscription. */
const body = (scope: Scope | undefined, rooms: readonly string[] = []): SlidingBody => ({
  lists: { top: { ranges: [[0, 0]], timeline_limit: 1, required_state: [] } },
  room_subscriptions: Object.fromEntries(rooms.map((id) => [id, { timeline_limit: 1, required_state: [] }])),
  ...(scope === undefined ? {} : { extensions: { typing: scope, receipts: scope, account_data: scope } }),
})
const ON: Scope = { enabled: true }

describe('extensions about rooms', () => {
  it('tell of the rooms that the client looks at, by the lists and subscriptions that they name', async () => {
    const [low, top] = [await room(), await room()]
    for (const roomId of [low, top]) {
      await type(roomId, true)
      await node.services.receipts.set(ben, { roomId, type: 'm.read', eventId: await say(roomId) })
      await setData(roomId, 'm.tag', { tags: { x: {} } })
    }
    const rooms = async (scope: Scope): Promise<readonly string[][]> => {
      const { extensions } = await ask(body(scope, [low]))
      return [extensions.typing, extensions.receipts, extensions.account_data].map((part) =>
        Object.keys(part?.rooms ?? {}).toSorted(),
      )
    }
    const thrice = (...ids: string[]): string[][] => [ids.toSorted(), ids.toSorted(), ids.toSorted()]
    expect(await rooms(ON)).toEqual(thrice(low, top))
    expect(await rooms({ enabled: true, lists: [] })).toEqual(thrice(low))
    expect(await rooms({ enabled: true, rooms: [] })).toEqual(thrice(top))
    expect(await rooms({ enabled: true, lists: ['other'], rooms: [top] })).toEqual(thrice())
    expect(await rooms({ enabled: true, lists: ['top'], rooms: ['!x:y'] })).toEqual(thrice(top))
    expect(await rooms({ enabled: false })).toEqual([[], [], []])
  })

  it('catch up on what changed while the client looked elsewhere', async () => {
    const roomId = await room()
    const eventId = await say(roomId)
    await type(roomId, true)
    const first = await ask(body(ON))
    expect(first.extensions.typing!.rooms[roomId]!.content).toEqual({ user_ids: [ben.userId] })
    expect((await ask(body(ON), first.pos)).extensions.typing!.rooms).toEqual({})
    const other = await room()
    const second = await ask(body(ON), first.pos)
    expect(Object.keys(second.rooms)).toEqual([other])

    await type(roomId, false)
    await setData(roomId, 'm.tag', { tags: { x: {} } })
    await node.services.receipts.set(ben, { roomId, type: 'm.read', eventId })
    const third = await ask(body(ON), second.pos)
    expect(third.extensions.typing!.rooms).toEqual({})
    expect(third.extensions.receipts!.rooms).toEqual({})
    expect(third.extensions.account_data!.rooms).toEqual({})
    const fourth = await ask(body(ON, [roomId]), third.pos)
    expect(fourth.extensions.typing!.rooms[roomId]!.content).toEqual({ user_ids: [] })
    expect(Object.keys(fourth.extensions.receipts!.rooms[roomId]!.content)).toEqual([eventId])
    expect(fourth.extensions.account_data!.rooms[roomId]).toMatchObject([{ type: 'm.tag' }])
    const fifth = await ask(body(ON, [roomId]), fourth.pos)
    expect(fifth.extensions).toMatchObject({
      typing: { rooms: {} },
      receipts: { rooms: {} },
      account_data: { rooms: {}, global: [] },
    })
  })

  it('catch up on what changed while they were not asked for', async () => {
    const roomId = await room()
    await say(roomId)
    await setData('', 'org.example', { n: 1 })
    const first = await ask(body(ON))
    const global = (answer: SlidingAnswer): unknown[] =>
      answer.extensions.account_data!.global.map((event) => [event.type, event.content['n']])
    // Push rules are there for those, too, who never changed them.
    expect(global(first)).toEqual([
      ['org.example', 1],
      ['m.push_rules', undefined],
    ])
    const second = await ask(body(undefined), first.pos)
    await setData('', 'org.example', { n: 2 })
    await setData(roomId, 'm.tag', { tags: {} })
    const third = await ask(body(undefined), second.pos)
    expect(third.extensions).toEqual({})
    const fourth = await ask(body(ON), third.pos)
    expect(global(fourth)).toEqual([['org.example', 2]])
    expect(Object.keys(fourth.extensions.account_data!.rooms)).toEqual([roomId])
    expect(global(await ask(body(ON), fourth.pos))).toEqual([])
  })

  it('show private receipts to nobody else, and of a new room those of the events shown and one’s own', async () => {
    const roomId = await room()
    const [early, late] = [await say(roomId), await say(roomId)]
    const cid = await node.user('cid')
    await node.services.memberships.join(cid, { room: roomId, via: [] })
    const { receipts } = node.services
    await receipts.set(ann, { roomId, type: 'm.read', eventId: early })
    await receipts.set(cid, { roomId, type: 'm.read', eventId: early })
    await receipts.set(ben, { roomId, type: 'm.read.private', eventId: late })
    const shown = await say(roomId)
    await receipts.set(cid, { roomId, type: 'm.read', eventId: early })
    const first = await ask(body(ON))
    expect(first.extensions.receipts!.rooms[roomId]!.content).toEqual({
      [early]: { 'm.read': { [ann.userId]: { ts: expect.any(Number) } } },
    })
    await receipts.set(cid, { roomId, type: 'm.read', eventId: shown })
    const second = await ask(body(ON), first.pos)
    expect(Object.keys(second.extensions.receipts!.rooms[roomId]!.content)).toEqual([shown])
  })
})

describe('the counts of a room', () => {
  it('go down with a receipt of another device, at once or when the room is looked at again', async () => {
    const [low, top] = [await room(), await room()]
    const seen = await say(low)
    await say(top)
    const first = await ask(body(undefined, [low]))
    expect(first.rooms[low]).toMatchObject({ notification_count: 1 })
    await node.services.receipts.set(ann, { roomId: low, type: 'm.read.private', eventId: seen })
    const second = await ask(body(undefined, [low]), first.pos)
    expect(second.rooms[low]).toMatchObject({ notification_count: 0, timeline: [] })
    const next = await say(low)
    const third = await ask(body(undefined, [low]), second.pos)
    await say(top)
    const fourth = await ask(body(undefined), third.pos)
    await node.services.receipts.set(ann, { roomId: low, type: 'm.read', eventId: next })
    const fifth = await ask(body(undefined), fourth.pos)
    expect(fifth.rooms).toEqual({})
    const sixth = await ask(body(undefined, [low]), fifth.pos)
    expect(sixth.rooms[low]).toMatchObject({ notification_count: 0, timeline: [] })
  })
})

describe('what sliding sync says of a room', () => {
  it('names its members where it has no name, and takes back what is gone', async () => {
    const roomId = await room()
    const setState = (name: string, content: object): Promise<unknown> =>
      node.services.sending.state(ben, { roomId, type: name, stateKey: '', content: content as never })
    const first = await ask(body(undefined))
    expect(first.rooms[roomId]).toMatchObject({ heroes: [{ user_id: ben.userId }], joined_count: 2 })
    expect(first.rooms[roomId]).not.toHaveProperty('name')
    await setState('m.room.name', { name: 'Tea' })
    await setState('m.room.avatar', { url: 'mxc://x/y' })
    const second = await ask(body(undefined), first.pos)
    expect(second.rooms[roomId]).toMatchObject({ name: 'Tea', avatar: 'mxc://x/y' })
    expect(second.rooms[roomId]).not.toHaveProperty('heroes')
    await setState('m.room.name', {})
    await setState('m.room.avatar', {})
    const third = await ask(body(undefined), second.pos)
    expect(third.rooms[roomId]).toMatchObject({ name: null, avatar: null, heroes: [{ user_id: ben.userId }] })
  })

  it('moves the stamp by what people say and not by who comes and goes', async () => {
    const roomId = await room()
    await say(roomId)
    const first = await ask(body(undefined))
    const stamp = first.rooms[roomId]!.bump_stamp!
    await node.services.memberships.join(await node.user('cid'), { room: roomId, via: [] })
    const second = await ask(body(undefined), first.pos)
    expect(second.rooms[roomId]!.bump_stamp ?? stamp).toBe(stamp)
    await say(roomId)
    const third = await ask(body(undefined), second.pos)
    expect(third.rooms[roomId]!.bump_stamp).toBeGreaterThan(stamp)
  })
})
