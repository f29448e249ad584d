import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  call,
  createRoom,
  eventually,
  register,
  sendText,
  startSync,
  v3,
  type User,
} from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const enc = encodeURIComponent
const v1 = (path: string): string => `/_matrix/client/v1${path}`

let node: Node
let other: Node
let alice: User
let bob: User
let eve: User
beforeAll(async () => {
  const authority = testAuthority()
  node = await startNode({ authority })
  other = await startNode({ authority })
  alice = await register(node.url, 'alice')
  bob = await register(other.url, 'bob')
  eve = await register(node.url, 'eve')
})
afterAll(async () => {
  await node?.dispose()
  await other?.dispose()
})

let txn = 0
async function relate(
  user: User,
  roomId: string,
  relType: string,
  parent: string,
  more: object = {},
  type = 'm.room.message',
): Promise<string> {
  const content = {
    msgtype: 'm.text',
    body: 'x',
    ...more,
    'm.relates_to': { rel_type: relType, event_id: parent },
  }
  const path = `/rooms/${enc(roomId)}/send/${type}/relate${txn++}`
  return (await user.ok('PUT', v3(path), content)).event_id
}
const relations = (roomId: string, eventId: string, rest = ''): string =>
  v1(`/rooms/${enc(roomId)}/relations/${enc(eventId)}${rest}`)

/** A room of Alice's that Bob of the other node is in. */
async function sharedRoom(): Promise<string> {
  const roomId = await createRoom(alice, { invite: [bob.userId] })
  await bob.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: node.serverName })
  return roomId
}

interface Event {
  readonly event_id: string
}
const ids = (chunk: readonly Event[]): string[] => chunk.map((event) => event.event_id)

describe('relations across two servers', () => {
  it('are found, summed up, and gone when redacted, on both', async () => {
    const roomId = await sharedRoom()
    const root = await sendText(alice, roomId, 'root')
    const edit = await relate(alice, roomId, 'm.replace', root, { 'm.new_content': { body: 'better' } })
    const reply = await relate(alice, roomId, 'm.thread', root)
    // oxlint-disable-next-line typescript/no-explicit-any
    const eventOf = (user: User): Promise<any> =>
      user.ok('GET', v3(`/rooms/${enc(roomId)}/event/${enc(root)}`))
    const seen = await eventually('the reply at the other server', async () => {
      const answer = await bob.call('GET', relations(roomId, root))
      return answer.status === 200 && answer.body.chunk.length === 2 && answer.body
    })
    expect(ids(seen.chunk)).toEqual([reply, edit])
    for (const user of [alice, bob]) {
      const event = await eventOf(user)
      expect(event.content.body).toBe('root')
      expect(event.unsigned['m.relations']['m.replace'].event_id).toBe(edit)
      expect(event.unsigned['m.relations']['m.thread']).toMatchObject({
        count: 1,
        current_user_participated: user === alice,
        latest_event: { event_id: reply },
      })
      expect(ids((await user.ok('GET', relations(roomId, root, '/m.replace'))).chunk)).toEqual([edit])
      const none = await user.ok('GET', relations(roomId, root, '/m.thread/m.sticker'))
      expect(none.chunk).toEqual([])
      expect(ids((await user.ok('GET', v1(`/rooms/${enc(roomId)}/threads`))).chunk)).toEqual([root])
    }
    await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/redact/${enc(reply)}/r1`), {})
    for (const user of [alice, bob]) {
      await eventually('the thread is gone', async () => {
        const { chunk } = await user.ok('GET', v1(`/rooms/${enc(roomId)}/threads`))
        return chunk.length === 0
      })
      expect((await eventOf(user)).unsigned['m.relations']['m.thread']).toBeUndefined()
    }
  })

  it('of an encrypted event are known by the clear part', async () => {
    const roomId = await createRoom(alice)
    const path = v3(`/rooms/${enc(roomId)}/send/m.room.encrypted/e1`)
    const { event_id: parent } = await alice.ok('PUT', path, {
      algorithm: 'm.megolm.v1.aes-sha2',
      ciphertext: 'a',
    })
    const child = await relate(alice, roomId, 'm.thread', parent, {}, 'm.room.encrypted')
    const answer = await alice.ok('GET', relations(roomId, parent, '/m.thread/m.room.encrypted'))
    expect(ids(answer.chunk)).toEqual([child])
  })
})

describe('GET /relations', () => {
  it('goes in pages and says how deep it went', async () => {
    const roomId = await createRoom(alice)
    const parent = await sendText(alice, roomId, 'parent')
    const children: string[] = []
    for (let i = 0; i < 5; i++) children.push(await relate(alice, roomId, 'm.reference', parent))
    const first = await alice.ok('GET', relations(roomId, parent), undefined, { limit: 3, dir: 'f' })
    expect(ids(first.chunk)).toEqual(children.slice(0, 3))
    const query = { limit: 3, dir: 'f', from: first.next_batch, recurse: true }
    const second = await alice.ok('GET', relations(roomId, parent), undefined, query)
    expect(ids(second.chunk)).toEqual(children.slice(3))
    expect(second.next_batch).toBeUndefined()
    expect(second.prev_batch).toBe(first.next_batch)
    expect(second.recursion_depth).toBeGreaterThanOrEqual(3)
  })

  it('refuses who is not there, bad tokens and bad directions', async () => {
    const roomId = await createRoom(alice)
    const parent = await sendText(alice, roomId, 'parent')
    const path = relations(roomId, parent)
    const told = async (
      answer: Promise<{ status: number; body: { errcode: string } }>,
    ): Promise<unknown[]> => {
      const { status, body } = await answer
      return [status, body.errcode]
    }
    expect(await told(call(node.url, 'GET', path))).toEqual([401, 'M_MISSING_TOKEN'])
    expect(await told(eve.call('GET', path))).toEqual([404, 'M_NOT_FOUND'])
    expect(await told(alice.call('GET', relations(roomId, '$none')))).toEqual([404, 'M_NOT_FOUND'])
    expect(await told(alice.call('GET', path, { query: { from: 'x' } }))).toEqual([400, 'M_INVALID_PARAM'])
    expect(await told(alice.call('GET', path, { query: { dir: 'x' } }))).toEqual([400, 'M_INVALID_PARAM'])
    const threads = v1(`/rooms/${enc(roomId)}/threads`)
    expect(await told(eve.call('GET', threads))).toEqual([403, 'M_FORBIDDEN'])
    expect(await told(alice.call('GET', threads, { query: { include: 'x' } }))).toEqual([
      400,
      'M_INVALID_PARAM',
    ])
    const moment = v1(`/rooms/${enc(roomId)}/timestamp_to_event`)
    expect(await told(eve.call('GET', moment, { query: { ts: 0, dir: 'f' } }))).toEqual([403, 'M_FORBIDDEN'])
    expect(await told(alice.call('GET', moment, { query: { ts: 0, dir: 'b' } }))).toEqual([
      404,
      'M_NOT_FOUND',
    ])
    expect((await alice.call('GET', moment, { query: { dir: 'b' } })).status).toBe(400)
    expect((await alice.call('GET', moment, { query: { ts: 'x', dir: 'b' } })).status).toBe(400)
    const initial = v3(`/rooms/${enc(roomId)}/initialSync`)
    expect(await told(eve.call('GET', initial))).toEqual([403, 'M_FORBIDDEN'])
    expect(await told(eve.call('GET', v3(`/events/${enc(parent)}`)))).toEqual([404, 'M_NOT_FOUND'])
    expect(await told(eve.call('GET', v3('/events'), { query: { room_id: roomId } }))).toEqual([
      403,
      'M_FORBIDDEN',
    ])
    expect(await told(eve.call('GET', v3('/events'), { query: { from: 'x' } }))).toEqual([
      400,
      'M_INVALID_PARAM',
    ])
  })
})

describe('GET /timestamp_to_event', () => {
  it('finds an event of before the join at the other server', async () => {
    const roomId = await createRoom(alice, { preset: 'public_chat' })
    const early = await sendText(alice, roomId, 'early')
    const { origin_server_ts: ts } = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/event/${enc(early)}`))
    for (let i = 0; i < 30; i++) await sendText(alice, roomId, `later ${i}`)
    await bob.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: node.serverName })
    const found = await bob.ok('GET', v1(`/rooms/${enc(roomId)}/timestamp_to_event`), undefined, {
      ts,
      dir: 'f',
    })
    expect(found).toEqual({ event_id: early, origin_server_ts: ts })
    const context = await bob.ok('GET', v3(`/rooms/${enc(roomId)}/context/${enc(early)}`))
    expect(context.event.content.body).toBe('early')
    const mine = await alice.ok('GET', v1(`/rooms/${enc(roomId)}/timestamp_to_event`), undefined, {
      ts,
      dir: 'b',
    })
    expect(mine.event_id).toBe(early)
  })
})

describe('the deprecated reads', () => {
  it('show a room, follow it, and find an event by its id', async () => {
    const roomId = await createRoom(alice, { name: 'Old' })
    const said = await sendText(alice, roomId, 'said')
    const room = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/initialSync`))
    expect(room).toMatchObject({ room_id: roomId, membership: 'join', visibility: 'private' })
    expect(ids(room.messages.chunk)).toContain(said)
    const all = await alice.ok('GET', v3('/initialSync'), undefined, { limit: 1 })
    expect(all.rooms.find((one: { room_id: string }) => one.room_id === roomId).messages.chunk).toHaveLength(
      1,
    )
    const waiting = alice.ok('GET', v3('/events'), undefined, { from: all.end, timeout: 10_000 })
    const next = await sendText(alice, roomId, 'next')
    expect(ids((await waiting).chunk)).toEqual([next])
    expect(await alice.ok('GET', v3(`/events/${enc(said)}`))).toMatchObject({
      event_id: said,
      room_id: roomId,
    })
    const sync = await startSync(alice)
    expect(ids((await alice.ok('GET', v3('/events'), undefined, { from: sync.since })).chunk)).toEqual([])
  })
})
