import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { OPERATOR } from '../core/audit/acts.js'
import type { JsonObject } from '../core/json/value.js'
import { systemClock } from '../platform/clock.js'
import type { Requester } from '../services/requester.js'
import type { CreateRoomInput } from '../services/rooms/create-room-input.js'
import { TEST_SERVER, testServices, type TestServices } from './testing.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('what is said on a node with retention', () => {
  let shift = 0
  const clock = {
    ...systemClock,
    now: () => Date.now() + shift,
    monotonic: () => systemClock.monotonic() + shift,
  }
  let node: TestServices
  let ana: Requester
  let ben: Requester
  beforeEach(async () => {
    shift = 0
    node = await testServices(
      {
        retention: {
          enabled: true,
          public_rooms: { most: '90d' },
          private_rooms: { usual: '30d', most: '365d', least: '1d' },
          direct_rooms: { most: '365d' },
          media: '365d',
        },
        audit: { enabled: true },
      },
      clock,
    )
    ana = await node.user('ana')
    ben = await node.user('ben')
  })
  afterEach(() => node.close())

  async function room(input: CreateRoomInput = {}): Promise<string> {
    const { room_id: roomId } = await node.services.roomCreation.create(ana, {
      invite: [ben.userId],
      ...input,
    })
    await node.services.memberships.join(ben, { room: roomId, via: [] })
    return roomId
  }
  const send = (roomId: string, content: JsonObject, by = ana, type = 'm.room.message'): Promise<string> =>
    node.services.sending
      .message(by, { roomId, type, content, txnId: `t${Math.random()}` })
      .then((answer) => answer.event_id)
  const say = (roomId: string, body: string, by = ana): Promise<string> =>
    send(roomId, { msgtype: 'm.text', body }, by)
  async function said(roomId: string, by = ana): Promise<unknown[]> {
    const page = await node.services.history.messages(by, { roomId, dir: 'b', limit: 100 })
    return (page['chunk'] as JsonObject[])
      .filter(({ type }) => type === 'm.room.message')
      .map(({ content }) => (content as JsonObject)['body'])
  }
  const stored = async (eventId: string): Promise<string> =>
    node.store.read('test', function* () {
      const result = yield {
        sql: 'SELECT json FROM events WHERE event_id = ?',
        params: [eventId],
        kind: 'rows',
      }
      return (result.rows[0] as { json: string }).json
    })
  const run = () => node.services.retention.run()

  it('is gone when its time is over, from every place, and what came after stays', async () => {
    const roomId = await room()
    const old = await say(roomId, 'pomegranate')
    const reply = await send(roomId, {
      msgtype: 'm.text',
      body: 'in a thread',
      'm.relates_to': { rel_type: 'm.thread', event_id: old },
    })
    const { next_batch: since } = await node.sync(ben)
    shift += 20 * DAY
    await say(roomId, 'fresh')
    shift += 11 * DAY
    // Nobody sees it from that moment on, purged or not.
    expect(await said(roomId)).toEqual(['fresh'])
    await expect(node.services.history.event(ana, roomId, old)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
    await expect(
      node.services.history.context(ana, { roomId, eventId: old, limit: 5 }),
    ).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    expect(await stored(old)).toContain('pomegranate')
    const done = await run()
    expect(done.rooms).toMatchObject([{ roomId, events: 2 }])
    expect(await stored(old)).not.toContain('pomegranate')
    expect(await stored(reply)).not.toContain('thread')
    expect(await said(roomId)).toEqual(['fresh'])
    const later = await node.sync(ben, { since })
    expect(JSON.stringify(later)).not.toContain('pomegranate')
    expect(JSON.stringify(await node.sync(ben))).not.toContain('pomegranate')
    const threads = await node.store.read('test', function* () {
      const result = yield { sql: 'SELECT root FROM threads', params: [], kind: 'rows' }
      return result.rows
    })
    expect(threads).toEqual([])
    // The room goes on.
    await say(roomId, 'later')
    expect(await said(roomId)).toEqual(['later', 'fresh'])
    expect((await run()).rooms).toEqual([])
  })

  it('is not found by a search any more', async () => {
    const roomId = await room()
    await say(roomId, 'pomegranate')
    await node.services.search.indexer.follow()
    shift += 31 * DAY
    await run()
    const docs = await node.store.read('test', function* () {
      const result = yield {
        sql: "SELECT doc FROM search_docs WHERE words LIKE '%pomegranate%'",
        params: [],
        kind: 'rows',
      }
      return result.rows
    })
    expect(docs).toEqual([])
  })

  it('leaves the state of the room as it is', async () => {
    const roomId = await room({ name: 'a name', topic: 'a topic' })
    await say(roomId, 'x')
    shift += 400 * DAY
    await run()
    const state = await node.services.history.state(ana, roomId)
    expect(state.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['m.room.name', 'm.room.topic', 'm.room.create']),
    )
    expect(state.find(({ type }) => type === 'm.room.name')?.['content']).toEqual({ name: 'a name' })
    await say(roomId, 'y')
    expect(await said(roomId)).toEqual(['y'])
  })

  it('lives as long as the room asks for, within the bounds of its kind', async () => {
    const long = await room({
      initial_state: [{ type: 'm.room.retention', content: { max_lifetime: 200 * DAY } }],
    })
    const short = await room({
      initial_state: [{ type: 'm.room.retention', content: { max_lifetime: 2 * DAY } }],
    })
    for (const roomId of [long, short]) await say(roomId, 'x')
    shift += 3 * DAY
    await run()
    expect(await said(long)).toEqual(['x'])
    expect(await said(short)).toEqual([])
    shift += 198 * DAY
    await run()
    expect(await said(long)).toEqual([])
  })

  it('is told to rooms that are made, and no room may ask for more than its kind has', async () => {
    const open = await room({ preset: 'public_chat' })
    const retention = (roomId: string) =>
      node.services.history.stateEvent(ana, roomId, { type: 'm.room.retention', stateKey: '' }, 'content')
    expect(await retention(open)).toEqual({ max_lifetime: 90 * DAY })
    expect(await retention(await room())).toEqual({ max_lifetime: 30 * DAY })
    const set = (content: JsonObject) =>
      node.services.sending.state(ana, { roomId: open, type: 'm.room.retention', stateKey: '', content })
    const refused = { errcode: 'M_FORBIDDEN', extra: { reason: 'retention.bounds' } }
    await expect(set({ max_lifetime: 91 * DAY })).rejects.toMatchObject(refused)
    await expect(set({})).rejects.toMatchObject(refused)
    await set({ max_lifetime: 10 * DAY })
    await expect(
      room({
        preset: 'public_chat',
        initial_state: [{ type: 'm.room.retention', content: { max_lifetime: 91 * DAY } }],
      }),
    ).rejects.toMatchObject(refused)
  })

  it('stays under a legal hold, unseen, and goes when that is lifted', async () => {
    const held = await room()
    const other = await room()
    const { holds } = node.services.retention
    await holds.hold('room', held, 'case 17', OPERATOR)
    await holds.hold('user', ben.userId, 'case 18', OPERATOR)
    const kept = await say(held, 'evidence')
    const byBen = await say(other, 'evidence', ben)
    const byAna = await say(other, 'chatter')
    shift += 31 * DAY
    await run()
    expect(await stored(kept)).toContain('evidence')
    expect(await stored(byBen)).toContain('evidence')
    expect(await stored(byAna)).not.toContain('chatter')
    expect(await said(held)).toEqual([])
    expect(await said(other)).toEqual([])
    await expect(holds.hold('room', held, 'again', OPERATOR)).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await expect(holds.lift('room', other, OPERATOR)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    const again = await node.restarted()
    await again.services.retention.run()
    expect(await stored(kept)).toContain('evidence')
    await holds.lift('room', held, OPERATOR)
    await holds.lift('user', ben.userId, OPERATOR)
    await run()
    expect(await stored(kept)).not.toContain('evidence')
    expect(await stored(byBen)).not.toContain('evidence')
    const acts = (await node.services.audit.entries(0, 100)).map((entry) => JSON.stringify(entry))
    expect(acts.filter((entry) => entry.includes('data.held'))).toHaveLength(4)
    expect(acts.filter((entry) => entry.includes('data.purged')).length).toBeGreaterThanOrEqual(2)
  })

  it('is recorded when it goes, by a record that this server has signed', async () => {
    const roomId = await room()
    for (let i = 0; i < 250; i++) await say(roomId, `x ${i}`)
    shift += 31 * DAY
    await run()
    const [record] = await node.services.retention.records(Number.MAX_SAFE_INTEGER, 10)
    const { signatures, ...body } = JSON.parse(record!.record) as JsonObject
    expect(body).toMatchObject({
      type: 'org.chancery.purge.v1',
      server: TEST_SERVER,
      room_id: roomId,
      events: 250,
    })
    expect(Object.keys(signatures as JsonObject)).toEqual([TEST_SERVER])
  })

  it('takes its files with it by their age, but not the pictures of people and rooms, nor what is held', async () => {
    const { media, retention, profile } = node.services
    const upload = (by: Requester): Promise<string> =>
      media.upload({
        userId: by.userId,
        body: Readable.from([Buffer.from(`${Math.random()}`)]),
        declaredLength: undefined,
        contentType: 'text/plain',
        fileName: undefined,
      })
    const [file, face, picture, evidence] = [
      await upload(ana),
      await upload(ana),
      await upload(ana),
      await upload(ben),
    ]
    await profile.setField(ana, ana.userId, 'avatar_url', face)
    await room({ initial_state: [{ type: 'm.room.avatar', content: { url: picture } }] })
    await retention.holds.hold('user', ben.userId, 'case', OPERATOR)
    shift += 366 * DAY
    const young = await upload(ana)
    expect((await run()).media).toBe(1)
    const is = async (uri: string): Promise<boolean> => {
      const [, , , id] = uri.split('/')
      return media.moderation.info(TEST_SERVER, id!).then(
        () => true,
        () => false,
      )
    }
    expect(await is(file)).toBe(false)
    for (const uri of [face, picture, evidence, young]) expect(await is(uri)).toBe(true)
  })
})

it('nothing goes from a node without retention, whatever rooms ask for', async () => {
  let shift = 0
  const node = await testServices({}, { ...systemClock, now: () => Date.now() + shift })
  const ana = await node.user('ana')
  const { room_id: roomId } = await node.services.roomCreation.create(ana, {
    initial_state: [{ type: 'm.room.retention', content: { max_lifetime: 1 } }],
  })
  await node.services.sending.message(ana, {
    roomId,
    type: 'm.room.message',
    content: { body: 'x' },
    txnId: 'a',
  })
  shift = 1000 * DAY
  expect(await node.services.retention.run()).toEqual({ rooms: [], media: 0 })
  const page = await node.services.history.messages(ana, { roomId, dir: 'b', limit: 1 })
  expect(page['chunk']).toMatchObject([{ content: { body: 'x' } }])
  await node.close()
})
