import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  call,
  createRoom,
  enc,
  eventually,
  logIn,
  register,
  sendText,
  startSync,
  v3,
  type User,
} from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

let node: Node
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

async function sharedRoom(body: object = {}): Promise<string> {
  const roomId = await createRoom(alice, { invite: [bob.userId], ...body })
  await bob.ok('POST', v3(`/join/${enc(roomId)}`))
  return roomId
}

describe('POST /createRoom', () => {
  it.each(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'])(
    'makes a room of version %s in which people can talk',
    async (version) => {
      const roomId = await sharedRoom({ room_version: version, name: 'A room', topic: 'A topic' })
      const create = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/state/m.room.create/`))
      expect(create.room_version).toBe(version)
      const eventId = await sendText(bob, roomId, 'hello')
      const page = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
        dir: 'b',
        limit: 1,
      })
      expect(page.chunk).toMatchObject([
        { event_id: eventId, sender: bob.userId, content: { body: 'hello' } },
      ])
      const redacted = await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/redact/${enc(eventId)}/r1`), {
        reason: 'no',
      })
      const event = await bob.ok('GET', v3(`/rooms/${enc(roomId)}/event/${enc(eventId)}`))
      expect(event.content).toEqual({})
      expect(event.unsigned.redacted_because.event_id).toBe(redacted.event_id)
    },
  )

  it('makes a room of version 12 unless told otherwise, with the creator above all power levels', async () => {
    const roomId = await createRoom(alice)
    expect(roomId).toMatch(/^![A-Za-z0-9_-]{43}$/)
    const levels = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/state/m.room.power_levels`))
    expect(levels.users).toEqual({})
    expect(levels.events['m.room.tombstone']).toBe(150)
  })

  it('refuses an unknown version, a taken alias and a bad invitee', async () => {
    const version = await alice.call('POST', v3('/createRoom'), { body: { room_version: 'nope' } })
    expect([version.status, version.body.errcode]).toEqual([400, 'M_UNSUPPORTED_ROOM_VERSION'])
    await createRoom(alice, { room_alias_name: 'taken' })
    const alias = await bob.call('POST', v3('/createRoom'), { body: { room_alias_name: 'taken' } })
    expect([alias.status, alias.body.errcode]).toEqual([400, 'M_ROOM_IN_USE'])
    const invite = await alice.call('POST', v3('/createRoom'), { body: { invite: ['nobody'] } })
    expect([invite.status, invite.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
  })
})

describe('PUT /rooms/{roomId}/send', () => {
  it('answers a repeated transaction with the same event, also after a restart', async () => {
    const roomId = await sharedRoom()
    const path = v3(`/rooms/${enc(roomId)}/send/m.room.message/same`)
    const first = await alice.ok('PUT', path, { msgtype: 'm.text', body: 'once' })
    expect(await alice.ok('PUT', path, { msgtype: 'm.text', body: 'once' })).toEqual(first)
    await node.stop()
    await node.start()
    expect(await alice.ok('PUT', path, { msgtype: 'm.text', body: 'once' })).toEqual(first)
    const page = await alice.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
      dir: 'b',
      limit: 50,
    })
    expect(
      page.chunk.filter((event: { content: { body?: string } }) => event.content.body === 'once'),
    ).toHaveLength(1)
  })

  it.each([
    ['not JSON', '{', 400, 'M_NOT_JSON'],
    ['a list', '[]', 400, 'M_BAD_JSON'],
    ['a float', '{"a":1.5}', 400, 'M_BAD_JSON'],
    ['a number beyond 2^53', '{"a":9007199254740993}', 400, 'M_BAD_JSON'],
    ['a duplicate key', '{"a":1,"a":2}', 400, 'M_NOT_JSON'],
    ['too much', `{"a":"${'x'.repeat(70_000)}"}`, 413, 'M_TOO_LARGE'],
  ])('refuses %s', async (_what, body, status, errcode) => {
    const roomId = await sharedRoom()
    const answer = await alice.call('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/x`), { body })
    expect([answer.status, answer.body.errcode]).toEqual([status, errcode])
  })

  it('refuses those who are not in the room, and tells no more of rooms that are not there', async () => {
    const roomId = await createRoom(alice)
    const path = (id: string): string => v3(`/rooms/${enc(id)}/send/m.room.message/x`)
    const closed = await bob.call('PUT', path(roomId), { body: {} })
    const unknown = await bob.call('PUT', path('!nowhere:localhost'), { body: {} })
    expect([closed.status, closed.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
    expect([unknown.status, unknown.body.errcode]).toEqual([403, 'M_FORBIDDEN'])
  })
})

describe('membership', () => {
  it('follows a user from invite to ban and back', async () => {
    const roomId = await createRoom(alice)
    const of = async (): Promise<string> => {
      const answer = await alice.call(
        'GET',
        v3(`/rooms/${enc(roomId)}/state/m.room.member/${enc(bob.userId)}`),
      )
      return answer.status === 404 ? 'none' : answer.body.membership
    }
    const post = (user: User, what: string, body: object = {}): Promise<{ status: number }> =>
      user.call('POST', v3(`/rooms/${enc(roomId)}/${what}`), { body })
    expect(await of()).toBe('none')
    expect((await post(bob, 'join')).status).toBe(403)
    await post(alice, 'invite', { user_id: bob.userId })
    expect(await of()).toBe('invite')
    expect((await post(bob, 'join')).status).toBe(200)
    expect(await of()).toBe('join')
    expect((await post(bob, 'kick', { user_id: alice.userId })).status).toBe(403)
    await post(alice, 'kick', { user_id: bob.userId, reason: 'out' })
    expect(await of()).toBe('leave')
    await post(alice, 'ban', { user_id: bob.userId })
    expect(await of()).toBe('ban')
    expect((await post(bob, 'join')).status).toBe(403)
    expect((await post(alice, 'unban', { user_id: bob.userId })).status).toBe(200)
    expect(await of()).toBe('leave')
    expect((await post(bob, 'forget')).status).toBe(200)
  })
})

describe('GET /sync', () => {
  it('wakes a waiting client with a message', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(bob)
    const waiting = sync.next(20_000)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const eventId = await sendText(alice, roomId, 'wake up')
    const answer = await waiting
    expect(answer.rooms.join[roomId].timeline.events).toMatchObject([{ event_id: eventId }])
    expect(answer.rooms.join[roomId].unread_notifications.notification_count).toBe(1)
  })

  it('shows the end of an invite to a room that everybody else has left', async () => {
    const sync = await startSync(bob)
    const roomId = await createRoom(alice, { invite: [bob.userId] })
    await sync.until('invite', (answer) => answer.rooms.invite?.[roomId])
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    await bob.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    const left = await sync.until('leave', (answer) => answer.rooms.leave?.[roomId])
    expect([...left.state.events, ...left.timeline.events]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ state_key: bob.userId, content: { membership: 'leave' } }),
      ]),
    )
  })

  it('tells the other devices that a room was left, also when it is forgotten at once', async () => {
    const sync = await startSync(alice)
    const roomId = await createRoom(alice, {})
    await sync.until('join', (answer) => answer.rooms.join?.[roomId])
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/forget`))
    await sync.until('leave', (answer) => answer.rooms.leave?.[roomId])
    const initial = await alice.ok('GET', v3('/sync'), undefined)
    expect(initial.rooms?.leave?.[roomId]).toBeUndefined()
  })

  it('keeps what else a join says in the member event, but nothing that the server decides', async () => {
    const roomId = await createRoom(alice, { preset: 'public_chat' })
    await bob.ok('POST', v3(`/rooms/${enc(roomId)}/join`), { 'org.example.by': 'link', membership: 'ban' })
    const path = v3(`/rooms/${enc(roomId)}/state/m.room.member/${enc(bob.userId)}`)
    expect(await bob.ok('GET', path)).toMatchObject({ 'org.example.by': 'link', membership: 'join' })
  })

  it('shows an invite with the room name, then the room once it is joined, then its end', async () => {
    const sync = await startSync(bob)
    const roomId = await createRoom(alice, { invite: [bob.userId], name: 'Secret' })
    const invited = await sync.until('invite', (answer) => answer.rooms.invite?.[roomId])
    expect(invited.invite_state.events).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'm.room.name', content: { name: 'Secret' } }),
        expect.objectContaining({ type: 'm.room.member', state_key: bob.userId, sender: alice.userId }),
      ]),
    )
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    const joined = await sync.until('join', (answer) => answer.rooms.join?.[roomId])
    expect([...joined.state.events, ...joined.timeline.events].map((event) => event.type)).toContain(
      'm.room.create',
    )
    await alice.ok('POST', v3(`/rooms/${enc(roomId)}/kick`), { user_id: bob.userId })
    const left = await sync.until('leave', (answer) => answer.rooms.leave?.[roomId])
    expect(left.timeline.events.at(-1)).toMatchObject({
      type: 'm.room.member',
      content: { membership: 'leave' },
    })
    await sendText(alice, roomId, 'alone at last')
    const after = await sync.next(300)
    expect(after.rooms).toEqual({})
  })

  it('shows typing and receipts, and clears the counts of who has read', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(bob)
    await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/typing/${enc(alice.userId)}`), {
      typing: true,
      timeout: 5_000,
    })
    const typing = await sync.until('typing', (answer) =>
      answer.rooms.join?.[roomId]?.ephemeral.events.find(
        (event: { type: string }) => event.type === 'm.typing',
      ),
    )
    expect(typing.content.user_ids).toEqual([alice.userId])
    const eventId = await sendText(alice, roomId, 'read me')
    await sync.until(
      'count',
      (answer) => answer.rooms.join?.[roomId]?.unread_notifications.notification_count === 1,
    )
    await bob.ok('POST', v3(`/rooms/${enc(roomId)}/receipt/m.read/${enc(eventId)}`))
    await sync.until(
      'no count',
      (answer) => answer.rooms.join?.[roomId]?.unread_notifications.notification_count === 0,
    )
    const other = await startSync(alice)
    const receipts = other.first.rooms.join[roomId].ephemeral.events.find(
      (event: { type: string }) => event.type === 'm.receipt',
    )
    expect(receipts.content[eventId]['m.read'][bob.userId].ts).toEqual(expect.any(Number))
  })

  it('marks a long absence as limited, with the state that changed meanwhile and a token to page back', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(bob)
    await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/state/m.room.topic`), { topic: 'changed' })
    const sent: string[] = []
    for (let i = 0; i < 15; i++) sent.push(await sendText(alice, roomId, `message ${i}`))
    const answer = await sync.next()
    const room = answer.rooms.join[roomId]
    expect(room.timeline.limited).toBe(true)
    expect(room.timeline.events.map((event: { event_id: string }) => event.event_id)).toEqual(sent.slice(-10))
    expect(room.state.events).toMatchObject([{ type: 'm.room.topic', content: { topic: 'changed' } }])
    const page = await bob.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
      dir: 'b',
      from: room.timeline.prev_batch,
      limit: 5,
    })
    expect(page.chunk.map((event: { event_id: string }) => event.event_id)).toEqual(
      sent.slice(0, 5).toReversed(),
    )
  })

  it('gives the transaction id back to the device that sent, and to no other', async () => {
    const roomId = await sharedRoom()
    const second = await logIn(alice)
    const [own, other] = await Promise.all([startSync(alice), startSync(second)])
    const path = v3(`/rooms/${enc(roomId)}/send/m.room.message/mine`)
    const { event_id: eventId } = await alice.ok('PUT', path, { msgtype: 'm.text', body: 'x' })
    const find = (answer: {
      rooms: { join?: Record<string, { timeline: { events: { event_id: string }[] } }> }
    }): unknown => answer.rooms.join?.[roomId]?.timeline.events.find((event) => event.event_id === eventId)
    expect(await own.until('own', find)).toMatchObject({ unsigned: { transaction_id: 'mine' } })
    expect(((await other.until('other', find)) as { unsigned: object }).unsigned).not.toHaveProperty(
      'transaction_id',
    )
  })

  it('refuses a token that is none', async () => {
    const answer = await alice.call('GET', v3('/sync'), { query: { since: 'nonsense' } })
    expect([answer.status, answer.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
  })
})

describe('every path', () => {
  it('answers unknown paths with 404 and wrong methods with 405, both with CORS', async () => {
    const unknown = await call(node.url, 'GET', '/_matrix/client/v3/nothing/here')
    expect([unknown.status, unknown.body.errcode]).toEqual([404, 'M_UNRECOGNIZED'])
    expect(unknown.headers.get('access-control-allow-origin')).toBe('*')
    const method = await call(node.url, 'DELETE', v3('/sync'))
    expect([method.status, method.body.errcode]).toEqual([405, 'M_UNRECOGNIZED'])
    const parametric = await call(node.url, 'DELETE', v3('/rooms/!a:b/messages'))
    expect([parametric.status, parametric.body.errcode]).toEqual([405, 'M_UNRECOGNIZED'])
  })

  it('survives kill -9 with everything that was answered', async () => {
    const roomId = await sharedRoom()
    const sent: string[] = []
    for (let i = 0; i < 20; i++) sent.push(await sendText(alice, roomId, `durable ${i}`))
    await node.kill()
    await node.start()
    const page = await eventually('messages', () =>
      alice.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, { dir: 'b', limit: 20 }),
    )
    expect(page.chunk.map((event: { event_id: string }) => event.event_id)).toEqual(sent.toReversed())
  })
})
