import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createRoom,
  enc,
  inRoom,
  logIn,
  register,
  sendText,
  startSync,
  v3,
  type Answer,
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

interface Event {
  event_id: string
  type: string
  sender: string
  state_key?: string
  content: Record<string, unknown>
  unsigned?: Record<string, unknown>
}

async function sharedRoom(body: object = {}, guest = bob): Promise<string> {
  const roomId = await createRoom(alice, { invite: [guest.userId], ...body })
  await guest.ok('POST', v3(`/join/${enc(roomId)}`))
  return roomId
}
const setState = (user: User, roomId: string, type: string, content: object, key = ''): Promise<unknown> =>
  user.ok('PUT', inRoom(roomId, `state/${type}/${enc(key)}`), content)
const bodies = (events: readonly Event[]): unknown[] =>
  events.map((event) => event.content['body']).filter(Boolean)
const filtered = (filter: object): Record<string, string> => ({ filter: JSON.stringify(filter) })

describe('leaving', () => {
  it('is told once, with the timeline up to one’s own leave and nothing after it', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(bob)
    await sendText(alice, roomId, 'before')
    await bob.ok('POST', inRoom(roomId, 'leave'))
    await sendText(alice, roomId, 'after')
    await setState(alice, roomId, 'm.room.topic', { topic: 'secret' })
    const left = (await sync.next()).rooms.leave[roomId]
    expect(bodies(left.timeline.events)).toEqual(['before'])
    expect(left.timeline.events.at(-1)).toMatchObject({
      state_key: bob.userId,
      content: { membership: 'leave' },
    })
    expect(JSON.stringify(left)).not.toContain('secret')
    await sendText(alice, roomId, 'later')
    expect((await sync.next()).rooms).toEqual({})
    const fresh = await startSync(bob)
    expect(fresh.first.rooms.leave?.[roomId]).toBeUndefined()
  })

  it('by kick and ban shows nothing between the two', async () => {
    const roomId = await sharedRoom({ preset: 'public_chat' })
    const sync = await startSync(bob)
    await alice.ok('POST', inRoom(roomId, 'kick'), { user_id: bob.userId })
    await sendText(alice, roomId, 'between')
    await setState(alice, roomId, 'm.room.topic', { topic: 'between' })
    await alice.ok('POST', inRoom(roomId, 'ban'), { user_id: bob.userId })
    await sendText(alice, roomId, 'after')
    const answer = await sync.next()
    expect(JSON.stringify(answer.rooms)).not.toMatch(/between|after/)
    expect(answer.rooms.leave[roomId].timeline.events.at(-1).content.membership).toBe('leave')
    for (const path of [
      'messages?dir=b&limit=50',
      'messages?dir=f&limit=50',
      'state',
      'members',
      'context/x',
    ]) {
      const seen = await bob.call('GET', inRoom(roomId, path))
      expect(JSON.stringify(seen.body)).not.toMatch(/between|after/)
    }
    expect((await sync.next()).rooms).toEqual({})
  })

  it('and being let in again does not show what was said meanwhile where that is secret', async () => {
    const roomId = await sharedRoom()
    await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
    const sync = await startSync(bob)
    await bob.ok('POST', inRoom(roomId, 'leave'))
    await sendText(alice, roomId, 'behind your back')
    await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: bob.userId })
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    await sendText(alice, roomId, 'welcome')
    const answer = await sync.next()
    const room = answer.rooms.join[roomId]
    expect(answer.rooms.leave).toBeUndefined()
    expect(bodies(room.timeline.events)).toEqual(['welcome'])
    const page = await bob.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', limit: 100 })
    expect(bodies(page.chunk)).toEqual(['welcome'])
  })

  it('shows left rooms in a first sync when asked, as they were', async () => {
    const user = await register(node.url)
    const roomId = await sharedRoom({ name: 'Old name' }, user)
    await user.ok('POST', inRoom(roomId, 'leave'))
    await setState(alice, roomId, 'm.room.name', { name: 'New name' })
    const never = await createRoom(alice, { invite: [user.userId], name: 'Never seen' })
    await user.ok('POST', inRoom(never, 'leave'))
    const { rooms } = await user.ok(
      'GET',
      v3('/sync'),
      undefined,
      filtered({ room: { include_leave: true } }),
    )
    const text = JSON.stringify(rooms.leave[roomId])
    expect(text).toContain('Old name')
    expect(text).not.toContain('New name')
    // Whoever was only invited gets their own membership and nothing of the room.
    expect(JSON.stringify(rooms.leave[never])).not.toContain('Never seen')
    expect((await user.call('GET', inRoom(never, 'state'))).status).toBe(403)
  })
})

describe('invites and knocks', () => {
  it('that are rejected or rescinded end in leave', async () => {
    const sync = await startSync(bob)
    const rejected = await createRoom(alice, { invite: [bob.userId] })
    const rescinded = await createRoom(alice, { invite: [bob.userId] })
    const invited = await sync.next()
    expect(Object.keys(invited.rooms.invite).toSorted()).toEqual([rejected, rescinded].toSorted())
    await bob.ok('POST', inRoom(rejected, 'leave'))
    await alice.ok('POST', inRoom(rescinded, 'kick'), { user_id: bob.userId })
    const { rooms } = await sync.next()
    expect(rooms.invite).toBeUndefined()
    for (const roomId of [rejected, rescinded]) {
      expect(rooms.leave[roomId].timeline.events).toMatchObject([{ state_key: bob.userId }])
      expect(rooms.leave[roomId].state.events).toEqual([])
    }
    expect((await sync.next()).rooms).toEqual({})
  })

  it('of ignored users are not shown', async () => {
    const user = await register(node.url)
    const sync = await startSync(user)
    const path = v3(`/user/${enc(user.userId)}/account_data/m.ignored_user_list`)
    await user.ok('PUT', path, { ignored_users: { [alice.userId]: {} } })
    await createRoom(alice, { invite: [user.userId] })
    expect((await sync.next()).rooms.invite).toBeUndefined()
  })

  it('a knock is shown to who knocks, and to who may answer', async () => {
    const roomId = await createRoom(alice, {
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    })
    const sync = await startSync(bob)
    await bob.ok('POST', v3(`/knock/${enc(roomId)}`), { reason: 'please' })
    const { rooms } = await sync.next()
    expect(rooms.knock[roomId].knock_state.events.map((event: Event) => event.type)).toContain(
      'm.room.create',
    )
    const member = await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(bob.userId)}`))
    expect(member).toMatchObject({ membership: 'knock', reason: 'please' })
    await bob.ok('POST', inRoom(roomId, 'leave'))
    expect((await sync.next()).rooms.leave[roomId]).toBeDefined()
  })
})

describe('filters', () => {
  let roomId: string
  beforeAll(async () => {
    roomId = await sharedRoom({ name: 'Filtered' })
    await sendText(alice, roomId, 'one')
    await sendText(bob, roomId, 'two')
    await alice.ok('PUT', inRoom(roomId, 'send/m.room.message/file'), {
      msgtype: 'm.file',
      body: 'file',
      url: 'mxc://a/b',
    })
    await setState(alice, roomId, 'org.example.custom', { x: 1 })
  })
  const timeline = async (filter: object): Promise<{ events: Event[]; limited: boolean }> =>
    (await bob.ok('GET', v3('/sync'), undefined, filtered({ room: { timeline: filter } }))).rooms.join[roomId]
      .timeline

  it.each([
    ['types', { types: ['m.room.message'] }, ['one', 'two', 'file']],
    ['types with a wildcard', { types: ['m.room.mess*'] }, ['one', 'two', 'file']],
    ['not_types', { not_types: ['m.room.message'] }, []],
    ['senders', { types: ['m.room.message'], senders: [] as string[] }, []],
    ['contains_url', { contains_url: true }, ['file']],
    ['no url', { contains_url: false }, ['one', 'two']],
    ['limit', { types: ['m.room.message'], limit: 1 }, ['file']],
    ['limit 0', { limit: 0 }, []],
    ['not_rooms', { not_rooms: ['!other:x'] }, ['one', 'two', 'file']],
  ])('of the timeline: %s', async (_what, filter, expected) => {
    expect(bodies((await timeline(filter)).events)).toEqual(expected)
  })

  it('by sender, and by room', async () => {
    expect(bodies((await timeline({ senders: [bob.userId] })).events)).toEqual(['two'])
    expect(bodies((await timeline({ not_senders: [alice.userId] })).events)).toEqual(['two'])
    expect((await timeline({ not_rooms: [roomId] })).events).toEqual([])
    const none = filtered({ room: { not_rooms: [roomId] } })
    expect((await bob.ok('GET', v3('/sync'), undefined, none)).rooms.join?.[roomId]).toBeUndefined()
    const only = filtered({ room: { rooms: [roomId] } })
    expect(Object.keys((await bob.ok('GET', v3('/sync'), undefined, only)).rooms.join)).toEqual([roomId])
  })

  it('with limit 0 tell of the gap, the state and the counts', async () => {
    const filter = filtered({ room: { timeline: { limit: 0 } } })
    const sync = await startSync(bob, filter)
    await sendText(alice, roomId, 'counted')
    await setState(alice, roomId, 'org.example.custom', { x: 2 })
    const room = (await sync.next()).rooms.join[roomId]
    expect(room.timeline).toMatchObject({ events: [], limited: true })
    expect(room.state.events).toMatchObject([{ type: 'org.example.custom', content: { x: 2 } }])
    expect(room.unread_notifications.notification_count).toBeGreaterThan(0)
  })

  it('that hide an event from the timeline still bring the state that it sets, and its count', async () => {
    const filter = filtered({ room: { timeline: { types: ['m.room.message'] } } })
    const sync = await startSync(bob, filter)
    const first = sync.first.rooms.join[roomId]
    const custom = first.state.events.find((event: Event) => event.type === 'org.example.custom')
    expect(custom.content).toEqual(await bob.ok('GET', inRoom(roomId, 'state/org.example.custom')))
    await setState(alice, roomId, 'org.example.custom', { x: 3 })
    const room = (await sync.next()).rooms.join[roomId]
    expect(room.state.events).toMatchObject([{ type: 'org.example.custom', content: { x: 3 } }])
  })

  it('keep fields, and give the federation’s format', async () => {
    const fields = filtered({
      event_fields: ['type', 'content.body'],
      room: { timeline: { types: ['m.room.message'], limit: 1 } },
    })
    const uncheckedBecause = 'the definitions know neither chosen fields nor the federation’s format'
    const asked = (query: typeof fields): Promise<Answer> =>
      bob.call('GET', v3('/sync'), { query, uncheckedBecause })
    const shaped = (await asked(fields)).body.rooms.join[roomId].timeline.events
    expect(shaped).toEqual([{ type: 'm.room.message', content: { body: expect.any(String) } }])
    const raw = filtered({ event_format: 'federation', room: { timeline: { limit: 1 } } })
    const [event] = (await asked(raw)).body.rooms.join[roomId].timeline.events
    expect(event).toMatchObject({
      hashes: expect.any(Object),
      prev_events: expect.any(Array),
      event_id: expect.any(String),
    })
  })

  it('of state, ephemeral events and account data', async () => {
    await bob.ok('PUT', v3(`/user/${enc(bob.userId)}/rooms/${enc(roomId)}/account_data/org.example.a`), {
      a: 1,
    })
    await bob.ok('PUT', v3(`/user/${enc(bob.userId)}/account_data/org.example.b`), { b: 1 })
    const all = filtered({
      account_data: { not_types: ['org.example.b'] },
      room: {
        state: { types: ['m.room.name'] },
        account_data: { types: ['none'] },
        ephemeral: { types: [] },
        timeline: { limit: 1 },
      },
    })
    const answer = await bob.ok('GET', v3('/sync'), undefined, all)
    const room = answer.rooms.join[roomId]
    expect(room.state.events.map((event: Event) => event.type)).toEqual(['m.room.name'])
    expect(room.account_data.events).toEqual([])
    expect(room.ephemeral.events).toEqual([])
    const types = answer.account_data.events.map((event: Event) => event.type)
    expect(types).not.toContain('org.example.b')
  })

  it.each([
    ['not JSON', '{', 400, 'M_NOT_JSON'],
    ['a wrong type', '{"room":{"timeline":{"types":"x"}}}', 400, 'M_BAD_JSON'],
    ['a negative limit', '{"room":{"timeline":{"limit":-1}}}', 400, 'M_BAD_JSON'],
    ['an unknown id', '424242', 404, 'M_NOT_FOUND'],
  ])('that are %s are refused', async (_what, filter, status, errcode) => {
    const answer = await bob.call('GET', v3('/sync'), { query: { filter } })
    expect([answer.status, answer.body.errcode]).toEqual([status, errcode])
  })
})

describe('lazily loaded members', () => {
  it('are those who speak and the user; heroes name a room without a name', async () => {
    const user = await register(node.url)
    const others = await Promise.all([1, 2, 3].map(() => register(node.url)))
    const roomId = await createRoom(alice, { invite: [user.userId, ...others.map((item) => item.userId)] })
    for (const item of [user, ...others]) await item.ok('POST', v3(`/join/${enc(roomId)}`))
    await setState(alice, roomId, 'm.room.name', { name: 'Named' })
    for (let i = 0; i < 12; i++) await sendText(others[0]!, roomId, `${i}`)
    const lazy = filtered({ room: { state: { lazy_load_members: true } } })
    const sorted = (list: Iterable<string | undefined>): string[] =>
      [...list].map(String).toSorted((a, b) => (a < b ? -1 : 1))
    const membersOf = (room: { state: { events: Event[] } }): string[] =>
      sorted(
        room.state.events.filter((event) => event.type === 'm.room.member').map((event) => event.state_key),
      )
    const sync = await startSync(user, lazy)
    expect(membersOf(sync.first.rooms.join[roomId])).toEqual([user.userId, others[0]!.userId].toSorted())
    expect(sync.first.rooms.join[roomId].summary).toEqual({
      'm.joined_member_count': 5,
      'm.invited_member_count': 0,
    })
    await setState(alice, roomId, 'm.room.name', { name: '' })
    const unnamed = (await sync.next()).rooms.join[roomId]
    const heroes = unnamed.summary['m.heroes']
    expect(heroes).toHaveLength(4)
    expect(heroes).not.toContain(user.userId)
    expect(membersOf(unnamed)).toEqual(expect.arrayContaining(heroes))
    const page = await user.ok('GET', inRoom(roomId, 'messages'), undefined, {
      dir: 'b',
      limit: 2,
      ...{ filter: '{"lazy_load_members":true}' },
    })
    expect(sorted(page.state.map((event: Event) => event.state_key))).toEqual(
      sorted(new Set(page.chunk.map((event: Event) => event.sender))),
    )
  })
})

describe('full_state and state_after', () => {
  it('give the whole state again, and the state at the timeline’s end', async () => {
    const roomId = await sharedRoom({ name: 'First' })
    const sync = await startSync(bob)
    await setState(alice, roomId, 'm.room.name', { name: 'Second' })
    const full = await bob.ok('GET', v3('/sync'), undefined, { since: sync.since, full_state: true })
    const types = full.rooms.join[roomId].state.events.map((event: Event) => event.type)
    expect(types).toEqual(expect.arrayContaining(['m.room.create', 'm.room.power_levels', 'm.room.name']))
    const after = await bob.ok('GET', v3('/sync'), undefined, { since: sync.since, use_state_after: true })
    expect(after.rooms.join[roomId].state).toBeUndefined()
    expect(after.rooms.join[roomId].state_after.events).toMatchObject([{ content: { name: 'Second' } }])
    const unstable = { since: sync.since, 'org.matrix.msc4222.use_state_after': true }
    const old = await bob.ok('GET', v3('/sync'), undefined, unstable)
    expect(old.rooms.join[roomId]['org.matrix.msc4222.state_after'].events).toHaveLength(1)
  })
})

describe('counts and receipts', () => {
  const counts = (room: { unread_notifications: Record<string, number> }): unknown =>
    room.unread_notifications['notification_count']

  it('are apart for threads where asked', async () => {
    const user = await register(node.url)
    const roomId = await sharedRoom({}, user)
    const root = await sendText(alice, roomId, 'root')
    const say = async (content: object): Promise<string> =>
      (
        await alice.ok('PUT', inRoom(roomId, `send/m.room.message/${Math.random()}`), {
          msgtype: 'm.text',
          body: 'x',
          ...content,
        })
      ).event_id
    const inThread = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } }
    const first = await say(inThread)
    const reply = await say({ 'm.relates_to': { rel_type: 'm.reference', event_id: first } })
    const apart = filtered({ room: { timeline: { unread_thread_notifications: true } } })
    const of = async (query = {}): Promise<{ main: unknown; threads: unknown }> => {
      const room = (await user.ok('GET', v3('/sync'), undefined, query)).rooms.join[roomId]
      return { main: counts(room), threads: room.unread_thread_notifications }
    }
    expect(await of()).toEqual({ main: 3, threads: undefined })
    expect(await of(apart)).toEqual({
      main: 1,
      threads: { [root]: { notification_count: 2, highlight_count: 0 } },
    })
    const read = (eventId: string, thread?: string): Promise<{ status: number; body: { errcode: string } }> =>
      user.call('POST', inRoom(roomId, `receipt/m.read/${enc(eventId)}`), {
        body: thread === undefined ? {} : { thread_id: thread },
      })
    const sync = await startSync(user, apart)
    expect((await read(reply, root)).status).toBe(200)
    const room = (await sync.next()).rooms.join[roomId]
    expect(room.unread_thread_notifications).toEqual({})
    expect(counts(room)).toBe(1)
    expect((await read(root, 'main')).status).toBe(200)
    expect(await of(apart)).toEqual({ main: 0, threads: {} })
    for (const [eventId, thread] of [
      [first, 'main'],
      [root, '$nowhere'],
      [root, first],
      [root, ''],
    ] as const) {
      const answer = await read(eventId, thread)
      expect([thread, answer.status]).toEqual([thread, 400])
    }
    const marker = await user.call('POST', inRoom(roomId, `receipt/m.fully_read/${enc(root)}`), {
      body: { thread_id: 'main' },
    })
    expect([marker.status, marker.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
    const kind = await user.call('POST', inRoom(roomId, `receipt/m.unread/${enc(root)}`), { body: {} })
    expect([kind.status, kind.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
  })

  it('are cleared by speaking, and begin anew for who comes back', async () => {
    const user = await register(node.url)
    const roomId = await sharedRoom({}, user)
    await sendText(alice, roomId, 'hello?')
    const of = async (): Promise<unknown> => counts((await user.ok('GET', v3('/sync'))).rooms.join[roomId])
    expect(await of()).toBe(1)
    await sendText(user, roomId, 'yes')
    expect(await of()).toBe(0)
    const again = await sendText(alice, roomId, 'again')
    await user.ok('POST', inRoom(roomId, 'leave'))
    await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: user.userId })
    await sendText(alice, roomId, 'while you were away')
    await user.ok('POST', v3(`/join/${enc(roomId)}`))
    expect(await of()).toBe(0)
    const last = await sendText(alice, roomId, 'now')
    expect(await of()).toBe(1)
    // A receipt for what came before does not bring back what was said in between.
    await user.ok('POST', inRoom(roomId, `receipt/m.read/${enc(again)}`))
    expect(await of()).toBe(1)
    await user.ok('POST', inRoom(roomId, `receipt/m.read/${enc(last)}`))
    expect(await of()).toBe(0)
  })

  it('private receipts clear the counts and are seen by nobody else; none goes backwards', async () => {
    const roomId = await sharedRoom()
    const first = await sendText(alice, roomId, 'first')
    const second = await sendText(alice, roomId, 'second')
    const watch = await startSync(alice)
    const own = await startSync(bob)
    await bob.ok('POST', inRoom(roomId, `receipt/m.read.private/${enc(second)}`))
    const seen = (await own.next()).rooms.join[roomId]
    expect(counts(seen)).toBe(0)
    expect(seen.ephemeral.events[0].content[second]['m.read.private'][bob.userId]).toBeDefined()
    await bob.ok('POST', inRoom(roomId, `receipt/m.read/${enc(first)}`))
    const others = JSON.stringify((await watch.next()).rooms)
    expect(others).not.toContain('m.read.private')
    expect(others).toContain('m.read')
    await bob.ok('POST', inRoom(roomId, `receipt/m.read/${enc(second)}`))
    await bob.ok('POST', inRoom(roomId, `receipt/m.read/${enc(first)}`))
    const room = (await alice.ok('GET', v3('/sync'))).rooms.join[roomId]
    const receipts = room.ephemeral.events.find((event: Event) => event.type === 'm.receipt').content
    expect(receipts[second]['m.read'][bob.userId]).toBeDefined()
    expect(receipts[first]).toBeUndefined()
    const unknown = await bob.call('POST', inRoom(roomId, 'receipt/m.read/$nowhere'), { body: {} })
    expect(unknown.status).toBe(200)
    const outside = await register(node.url)
    expect(
      (await outside.call('POST', inRoom(roomId, `receipt/m.read/${enc(first)}`), { body: {} })).status,
    ).toBe(403)
  })

  it('a change of counts alone wakes a waiting client, and m.fully_read is account data', async () => {
    const roomId = await sharedRoom()
    const eventId = await sendText(alice, roomId, 'x')
    const second = await logIn(bob)
    const sync = await startSync(second, filtered({ room: { ephemeral: { types: [] } } }))
    const waiting = sync.next(20_000)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await bob.ok('POST', inRoom(roomId, 'read_markers'), { 'm.read': eventId })
    expect(counts((await waiting).rooms.join[roomId])).toBe(0)
    await bob.ok('POST', inRoom(roomId, 'read_markers'), { 'm.fully_read': eventId })
    const room = (await sync.next()).rooms.join[roomId]
    expect(room.account_data.events).toEqual([{ type: 'm.fully_read', content: { event_id: eventId } }])
  })
})

describe('typing', () => {
  it('ends when said, when its time is over, and is for oneself only', async () => {
    const roomId = await sharedRoom()
    const sync = await startSync(bob)
    const typing = (body: object, userId = alice.userId): Promise<{ status: number }> =>
      alice.call('PUT', inRoom(roomId, `typing/${enc(userId)}`), { body })
    const typists = (answer: {
      rooms: { join?: Record<string, { ephemeral: { events: Event[] } }> }
    }): unknown =>
      answer.rooms.join?.[roomId]?.ephemeral.events.find((event) => event.type === 'm.typing')?.content[
        'user_ids'
      ]
    await typing({ typing: true, timeout: 60_000 })
    expect(typists(await sync.next())).toEqual([alice.userId])
    await typing({ typing: false })
    expect(typists(await sync.next())).toEqual([])
    await typing({ typing: true, timeout: 3_000 })
    expect(typists(await sync.next())).toEqual([alice.userId])
    expect(await sync.until('the end', (answer) => typists(answer))).toEqual([])
    expect((await typing({ typing: true }, bob.userId)).status).toBe(403)
    expect((await typing({ typing: true, timeout: -1 })).status).toBe(400)
    expect((await typing({ typing: 'yes' })).status).toBe(400)
  })
})

describe('account data', () => {
  it('of a room that is joined later comes with the room', async () => {
    const user = await register(node.url)
    const sync = await startSync(user)
    const roomId = await createRoom(alice, { invite: [user.userId] })
    await user.ok(
      'PUT',
      v3(`/user/${enc(user.userId)}/rooms/${enc(roomId)}/account_data/org.example.early`),
      { early: true },
    )
    await sync.next()
    await user.ok('POST', v3(`/join/${enc(roomId)}`))
    const room = (await sync.next()).rooms.join[roomId]
    expect(room.account_data.events).toEqual([{ type: 'org.example.early', content: { early: true } }])
  })
})

describe('long polls', () => {
  it('are capped, and too many of one user’s are answered early', async () => {
    const user = await register(node.url)
    const sync = await startSync(user)
    const began = Date.now()
    const polls = Array.from({ length: 60 }, () =>
      user.call('GET', v3('/sync'), { query: { since: sync.since, timeout: 4_000 } }),
    )
    const answers = await Promise.all(polls)
    expect(answers.every((answer) => answer.status === 200)).toBe(true)
    // One after the other they would take four minutes.
    expect(Date.now() - began).toBeLessThan(60_000)
    const huge = await user.call('GET', v3('/sync'), { query: { timeout: '1000000000000' } })
    expect(huge.status).toBe(200)
  })

  it.each(['-1', 'x', '1.5'])('refuse a timeout of %s', async (timeout) => {
    const answer = await alice.call('GET', v3('/sync'), { query: { timeout } })
    expect([answer.status, answer.body.errcode]).toEqual([400, 'M_INVALID_PARAM'])
  })
})
