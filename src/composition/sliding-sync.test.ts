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

const ALL: SlidingBody = {
  conn_id: 'room-list',
  lists: {
    all: { ranges: [[0, 19]], timeline_limit: 3, required_state: [['m.room.create', '']] },
  },
}
const range = (last: number, timelineLimit = 1): SlidingBody => ({
  conn_id: 'room-list',
  lists: { all: { ranges: [[0, last]], timeline_limit: timelineLimit, required_state: [] } },
})

async function room(owner: Requester, name?: string, guests: readonly Requester[] = []): Promise<string> {
  const { services } = node
  const { room_id: roomId } = await services.roomCreation.create(owner, {
    preset: 'public_chat',
    ...(name === undefined ? {} : { name }),
  })
  for (const guest of guests) await services.memberships.join(guest, { room: roomId, via: [] })
  return roomId
}

async function say(who: Requester, roomId: string, body: string): Promise<string> {
  const { event_id: eventId } = await node.services.sending.message(who, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body },
    txnId: `t${txn++}`,
  })
  return eventId
}

const setState = (
  who: Requester,
  roomId: string,
  type: string,
  content: object,
  stateKey = '',
): Promise<unknown> => node.services.sending.state(who, { roomId, type, stateKey, content: content as never })

const bodies = (answer: SlidingAnswer, roomId: string): readonly unknown[] =>
  (answer.rooms[roomId]?.timeline ?? []).flatMap((event) => event.content?.['body'] ?? [])

const ask = (body: SlidingBody, pos?: string, who = ann): Promise<SlidingAnswer> =>
  slide(node.services, who, body, { pos })

describe('a connection of sliding sync', () => {
  it('is told of each room once, and then of what is new', async () => {
    const roomId = await room(ann, 'Tea')
    await say(ann, roomId, 'one')
    const first = await ask(ALL)
    expect(first.lists['all']).toEqual({ count: 1 })
    expect(first.rooms[roomId]).toMatchObject({
      initial: true,
      name: 'Tea',
      membership: 'join',
      lists: ['all'],
      joined_count: 1,
      invited_count: 0,
      num_live: 0,
      limited: true,
      notification_count: 0,
    })
    expect(first.rooms[roomId]!.required_state!.map((event) => event.type)).toEqual(['m.room.create'])
    expect((await ask(ALL, first.pos)).rooms).toEqual({})
    await say(ann, roomId, 'two')
    const second = await ask(ALL, first.pos)
    expect(bodies(second, roomId)).toEqual(['two'])
    expect(second.rooms[roomId]).toMatchObject({ limited: false, num_live: 1 })
    expect(second.rooms[roomId]).not.toHaveProperty('initial')
    expect(second.rooms[roomId]).not.toHaveProperty('name')
    expect(second.rooms[roomId]!.bump_stamp).toBeGreaterThan(first.rooms[roomId]!.bump_stamp!)
  })

  it('gets the same again for a position that it repeats, and loses nothing', async () => {
    const roomId = await room(ann)
    const first = await ask(ALL)
    await say(ann, roomId, 'one')
    const other = await room(ann, 'Other')
    const second = await ask(ALL, first.pos)
    const again = await ask(ALL, first.pos)
    expect(again.rooms).toEqual(
      JSON.parse(JSON.stringify(second.rooms), (key, value: unknown) =>
        key === 'age' ? (expect.any(Number) as unknown) : value,
      ),
    )
    expect(again.rooms[other]).toMatchObject({ initial: true })
    // Either answer may be the one that arrived.
    for (const { pos } of [second, again]) expect((await ask(ALL, pos)).rooms).toEqual({})
  })

  it('gives positions from which one can page back', async () => {
    const roomId = await room(ann)
    for (const text of ['a', 'b', 'c']) await say(ann, roomId, text)
    const first = await ask(ALL)
    await say(ann, roomId, 'later')
    const { services } = node
    const page = await services.history.messages(ann, { roomId, dir: 'b', from: first.pos, limit: 2 })
    const chunk = page['chunk'] as unknown as readonly { content: { body: string } }[]
    expect(chunk.map((event) => event.content.body)).toEqual(['c', 'b'])
  })

  it('goes on after a restart of the node', async () => {
    const roomId = await room(ann)
    const other = await room(ann)
    const first = await ask(range(0))
    expect(Object.keys(first.rooms)).toEqual([other])
    await say(ann, other, 'one')
    const second = await ask(range(1), first.pos)
    expect(Object.keys(second.rooms).toSorted()).toEqual([roomId, other].toSorted())
    const { services } = await node.restarted()
    expect((await slide(services, ann, range(1), { pos: second.pos })).rooms).toEqual({})
    await say(ann, roomId, 'two')
    const third = await slide((await node.restarted()).services, ann, range(1), { pos: second.pos })
    expect(bodies(third, roomId)).toEqual(['two'])
  })

  it('is told what a room had while it lay outside the range', async () => {
    const quiet = await room(ann)
    const first = await ask({ ...ALL, lists: { all: { ...ALL.lists!['all']!, filters: { is_dm: false } } } })
    const direct = { [ben.userId]: [quiet] }
    await node.services.accountData.set(ann.userId, '', 'm.direct', direct)
    const filtered = { ...ALL, lists: { all: { ...ALL.lists!['all']!, filters: { is_dm: false } } } }
    await say(ann, quiet, 'unseen')
    const second = await ask(filtered, first.pos)
    expect(second.rooms).toEqual({})
    expect(second.lists['all']).toEqual({ count: 0 })
    const third = await ask(filtered, second.pos)
    const fourth = await ask(ALL, third.pos)
    expect(bodies(fourth, quiet)).toEqual(['unseen'])
    expect(fourth.rooms[quiet]).toMatchObject({ is_dm: true })
    expect(fourth.rooms[quiet]).not.toHaveProperty('initial')
  })

  it('sends the rooms of a growing range, and those of before only for news', async () => {
    const ids: string[] = []
    for (let i = 0; i < 6; i++) ids.unshift(await room(ann, `Room ${i}`))
    const first = await ask(range(1))
    expect(Object.keys(first.rooms)).toEqual(ids.slice(0, 2))
    expect(first.lists['all']).toEqual({ count: 6 })
    await say(ann, ids[1]!, 'hello')
    const second = await ask(range(3), first.pos)
    expect(Object.keys(second.rooms)).toEqual([ids[1], ids[2], ids[3]])
    expect(second.rooms[ids[1]!]).not.toHaveProperty('initial')
    const third = await ask(range(100), second.pos)
    expect(Object.keys(third.rooms)).toEqual(ids.slice(4))
  })

  it('expands a timeline when more of it is asked for', async () => {
    const roomId = await room(ann)
    for (const text of ['a', 'b', 'c', 'd']) await say(ann, roomId, text)
    const first = await ask(range(9))
    expect(bodies(first, roomId)).toEqual(['d'])
    const subscribed: SlidingBody = {
      ...range(9),
      room_subscriptions: { [roomId]: { timeline_limit: 4, required_state: [['m.room.name', '']] } },
    }
    const second = await ask(subscribed, first.pos)
    expect(bodies(second, roomId)).toEqual(['a', 'b', 'c', 'd'])
    expect(second.rooms[roomId]).toMatchObject({
      expanded_timeline: true,
      unstable_expanded_timeline: true,
      num_live: 0,
    })
    expect((await ask(subscribed, second.pos)).rooms).toEqual({})
    await say(ann, roomId, 'e')
    const third = await ask(subscribed, second.pos)
    expect(bodies(third, roomId)).toEqual(['e'])
    // Back to one event and four again: the client has them.
    const fourth = await ask(range(9), third.pos)
    expect((await ask(subscribed, fourth.pos)).rooms).toEqual({})
  })

  it('adds the state that it asks for later', async () => {
    const roomId = await room(ann, 'Tea')
    const first = await ask(ALL)
    const more: SlidingBody = {
      ...ALL,
      room_subscriptions: {
        [roomId]: {
          timeline_limit: 1,
          required_state: [
            ['m.room.create', ''],
            ['m.room.name', '*'],
            ['m.room.member', '$ME'],
          ],
        },
      },
    }
    const second = await ask(more, first.pos)
    const types = second.rooms[roomId]!.required_state!.map((event) => event.type)
    expect(types.toSorted()).toEqual(['m.room.member', 'm.room.name'])
    expect(second.rooms[roomId]!.timeline).toEqual([])
    expect((await ask(more, second.pos)).rooms).toEqual({})
  })

  it('introduces those who speak, once', async () => {
    const roomId = await room(ann, undefined, [ben])
    for (const text of ['a', 'b', 'c', 'd']) await say(ann, roomId, text)
    const lazy: SlidingBody = {
      lists: {
        all: { ranges: [[0, 9]], timeline_limit: 2, required_state: [['m.room.member', '$LAZY']] },
      },
    }
    const members = (answer: SlidingAnswer): readonly unknown[] =>
      (answer.rooms[roomId]?.required_state ?? []).map((event) => event.state_key)
    const first = await ask(lazy)
    expect(members(first)).toEqual([ann.userId])
    await say(ben, roomId, 'e')
    const second = await ask(lazy, first.pos)
    expect(members(second)).toEqual([ben.userId])
    await say(ben, roomId, 'f')
    expect(members(await ask(lazy, second.pos))).toEqual([])
  })

  it('keeps two connections of a device apart', async () => {
    const roomId = await room(ann)
    const one = await ask(ALL)
    const other = await ask({ ...ALL, conn_id: 'share' })
    await say(ann, roomId, 'hello')
    expect(bodies(await ask(ALL, one.pos), roomId)).toEqual(['hello'])
    expect(bodies(await ask({ ...ALL, conn_id: 'share' }, other.pos), roomId)).toEqual(['hello'])
  })
})

describe('a position of sliding sync', () => {
  const refused = expect.objectContaining({ errcode: 'M_UNKNOWN_POS', status: 400 }) as unknown
  it('is of use to nobody else, on no other connection, and never ahead of the server', async () => {
    const roomId = await room(ann, undefined, [ben])
    const mine = await ask(ALL)
    await ask(ALL, undefined, ben)
    await expect(ask(ALL, mine.pos, ben)).rejects.toEqual(refused)
    await expect(ask(ALL, mine.pos, { ...ann, deviceId: 'OTHER' })).rejects.toEqual(refused)
    await expect(ask({ ...ALL, conn_id: 'x' }, mine.pos)).rejects.toEqual(refused)
    for (const pos of [
      '',
      ' ',
      'p1_1_1',
      'p1_1_1_1',
      's1_1_1_1',
      mine.pos.replace(/_\d+_\d+$/, '_99999999_0'),
    ])
      if (pos !== '') await expect(ask(ALL, pos)).rejects.toEqual(refused)
    await say(ann, roomId, 'x')
    // A connection that began anew has forgotten what it told before.
    await ask(ALL)
    await expect(ask(ALL, mine.pos)).rejects.toEqual(refused)
  })

  it('shows nothing of before one was there, whatever it is changed to', async () => {
    const { services } = node
    const { room_id: roomId } = await services.roomCreation.create(ben, { preset: 'private_chat' })
    await setState(ben, roomId, 'm.room.history_visibility', { history_visibility: 'joined' })
    await say(ben, roomId, 'secret')
    await services.memberships.invite(ben, { roomId, userId: ann.userId })
    const before = await ask(ALL)
    expect(before.rooms[roomId]).toMatchObject({ membership: 'invite', initial: true })
    await services.memberships.join(ann, { room: roomId, via: [] })
    await say(ben, roomId, 'open')
    const joined = await ask(
      { ...ALL, lists: { all: { ...ALL.lists!['all']!, timeline_limit: 50 } } },
      before.pos,
    )
    expect(bodies(joined, roomId)).toEqual(['open'])
    await say(ben, roomId, 'later')
    for (const at of [0, 1, 2, 5, 8]) {
      const forged = joined.pos.replace(/_\d+_(\d+)$/, `_${at}_$1`)
      const answer = await ask(
        { ...ALL, lists: { all: { ...ALL.lists!['all']!, timeline_limit: 50 } } },
        forged,
      )
      expect(bodies(answer, roomId)).toEqual(['open', 'later'])
    }
    await services.memberships.leave(ann, { roomId })
    await say(ben, roomId, 'after')
    const gone = await ask(ALL, joined.pos)
    expect(gone.rooms[roomId]).toMatchObject({ membership: 'leave' })
    expect(bodies(gone, roomId)).toEqual(['later'])
    expect(gone.rooms[roomId]).not.toHaveProperty('joined_count')
    expect((await ask(ALL, gone.pos)).rooms).toEqual({})
    expect((await ask(ALL)).rooms).toEqual({})
  })
})

describe('lists of sliding sync', () => {
  const filtered = async (filters: object): Promise<readonly string[]> => {
    const answer = await ask({
      conn_id: JSON.stringify(filters).slice(0, 16),
      lists: { all: { range: [0, 99], timeline_limit: 0, filters } },
    })
    expect(answer.lists['all']!.count).toBe(Object.keys(answer.rooms).length)
    return Object.keys(answer.rooms).toSorted()
  }

  it('let through what their filters say', async () => {
    const { services } = node
    const plain = await room(ann, 'Tea and Cake')
    const secret = await room(ann, 'Coffee')
    await setState(ann, secret, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' })
    const { room_id: space } = await services.roomCreation.create(ann, {
      creation_content: { type: 'm.space' },
      name: 'Kitchen',
    })
    await setState(ann, space, 'm.space.child', { via: ['ours.example'] }, plain)
    await setState(ann, space, 'm.space.child', {}, secret)
    const { room_id: invite } = await services.roomCreation.create(ben, {
      invite: [ann.userId],
      name: 'Cake?',
    })
    await services.accountData.set(ann.userId, '', 'm.direct', { [ben.userId]: [secret, invite], x: 5 })
    await services.accountData.set(ann.userId, plain, 'm.tag', { tags: { 'm.favourite': {} } })
    const sorted = (...ids: string[]): string[] => ids.toSorted()

    expect(await filtered({})).toEqual(sorted(plain, secret, space, invite))
    expect(await filtered({ is_dm: true })).toEqual(sorted(secret, invite))
    expect(await filtered({ is_dm: false })).toEqual(sorted(plain, space))
    expect(await filtered({ is_encrypted: true })).toEqual([secret])
    expect(await filtered({ is_encrypted: false })).toEqual(sorted(plain, space, invite))
    expect(await filtered({ is_invite: true })).toEqual([invite])
    expect(await filtered({ is_invited: false })).toEqual(sorted(plain, secret, space))
    expect(await filtered({ room_types: ['m.space'] })).toEqual([space])
    expect(await filtered({ room_types: [null] })).toEqual(sorted(plain, secret, invite))
    expect(await filtered({ not_room_types: ['m.space'], room_types: [null, 'm.space'] })).toEqual(
      sorted(plain, secret, invite),
    )
    expect(await filtered({ room_name_like: 'CAKE' })).toEqual(sorted(plain, invite))
    expect(await filtered({ spaces: [space] })).toEqual([plain])
    expect(await filtered({ spaces: [secret, '!no:where'] })).toEqual([])
    expect(await filtered({ tags: ['m.favourite', 'x'] })).toEqual([plain])
    expect(await filtered({ not_tags: ['m.favourite'] })).toEqual(sorted(secret, space, invite))
    expect(await filtered({ is_dm: true, is_encrypted: true, is_invite: false })).toEqual([secret])
  })

  it('show who was put out of a room that they were, and not who never was in it', async () => {
    const { services } = node
    const kicked = await room(ben, 'Kicked', [ann])
    const banned = await room(ben, 'Never in')
    await services.memberships.kick(ben, { roomId: kicked, userId: ann.userId, reason: 'no' })
    await services.memberships.ban(ben, { roomId: banned, userId: ann.userId })
    await say(ben, kicked, 'she is gone')
    const first = await ask(ALL)
    expect(Object.keys(first.rooms)).toEqual([kicked])
    const own = first.rooms[kicked]!.required_state!.find((event) => event.state_key === ann.userId)
    expect(own!.content).toMatchObject({ membership: 'leave', reason: 'no' })
    expect(bodies(first, kicked)).toEqual([])
    expect((await ask(ALL, first.pos)).rooms).toEqual({})
    await services.memberships.forget(ann, kicked)
    expect((await ask(ALL, first.pos)).lists['all']).toEqual({ count: 0 })
  })

  it('tell of an invite that was turned down, and of one that was taken back', async () => {
    const { services } = node
    const rooms: string[] = []
    for (let i = 0; i < 2; i++) {
      const { room_id: roomId } = await services.roomCreation.create(ben, { invite: [ann.userId] })
      rooms.push(roomId)
    }
    const first = await ask(ALL)
    expect(first.rooms[rooms[0]!]!.invite_state!.length).toBeGreaterThan(0)
    await services.memberships.leave(ann, { roomId: rooms[0]! })
    await services.memberships.kick(ben, { roomId: rooms[1]!, userId: ann.userId })
    const second = await ask(ALL, first.pos)
    for (const roomId of rooms) {
      expect(second.rooms[roomId]).toMatchObject({ membership: 'leave' })
      expect(second.rooms[roomId]!.required_state).toHaveLength(1)
    }
    expect(second.lists['all']).toEqual({ count: 2 })
    expect((await ask(ALL, second.pos)).lists['all']).toEqual({ count: 0 })
  })

  it('hide the invites of those who are ignored', async () => {
    const { services } = node
    await services.roomCreation.create(ben, { invite: [ann.userId] })
    await services.accountData.set(ann.userId, '', 'm.ignored_user_list', {
      ignored_users: { [ben.userId]: {} },
    })
    expect(await ask(ALL)).toMatchObject({ rooms: {}, lists: { all: { count: 0 } } })
  })
})
