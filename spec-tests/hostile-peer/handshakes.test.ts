import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventId } from '../../src/core/event/event-id.js'
import type { Pdu } from '../../src/core/event/types.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { createRoom, eventually, register, v3, type Answer, type User } from '../harness/client.js'
import { answerJson, type Answering } from '../harness/foreign-server.js'
import { foreignRoom, sendPdus, type ForeignRoom } from '../harness/foreign-room.js'
import { fed, type Peer } from '../harness/peer.js'
import { enc, signedAsItIs, startWorld, stateOf, textsIn, type World } from './world.js'

let world: World
let names = 0
beforeAll(async () => {
  world = await startWorld({ federation: { timeouts: { request: '5s', join: '10s' } } })
})
afterEach(async () => {
  world.hostile.server.answer = () => false
  await world.othersGoOn()
})
afterAll(() => world?.dispose())

const rules = roomVersion('11')!
/** A room that lives on the hostile peer, which answers for it as a good server would, unless told otherwise. */
function roomOf(peer: Peer, lie: Answering = () => false): ForeignRoom {
  const room = foreignRoom([peer.server], 3, 1, `hostile${names++}`)
  peer.server.answer = (request, response, path) =>
    lie(request, response, path) || room.answer(request, response, path)
  return room
}
const unchecked = { uncheckedBecause: 'what the other server says is not what the specification has' }
const join = (user: User, room: ForeignRoom, ...via: string[]): Promise<Answer> =>
  user.call('POST', `${v3(`/join/${enc(room.roomId)}`)}?${via.map((name) => `via=${enc(name)}`).join('&')}`, {
    body: {},
    ...unchecked,
  })
const joinedRooms = async (user: User): Promise<string[]> =>
  (await user.ok('GET', v3('/joined_rooms'))).joined_rooms

describe('a hostile peer, asked to let somebody in,', () => {
  type Lie = (event: JsonObject, room: ForeignRoom) => unknown
  const TEMPLATES: readonly (readonly [string, Lie])[] = [
    ['another type', (event) => ({ event: { ...event, type: 'm.room.power_levels' } })],
    ['another room', (event) => ({ event: { ...event, room_id: '!other:localhost' } })],
    ['another sender', (event) => ({ event: { ...event, sender: '@other:localhost' } })],
    ['another state key', (event) => ({ event: { ...event, state_key: '@other:localhost' } })],
    ['no state key', ({ state_key: _key, ...event }) => ({ event })],
    ['a ban', (event) => ({ event: { ...event, content: { membership: 'ban' } } })],
    ['no content', ({ content: _content, ...event }) => ({ event })],
    ['fields of its own', (event) => ({ event: { ...event, third_party: {} } })],
    ['a thousand predecessors', (event) => ({ event: { ...event, prev_events: Array.from({ length: 1_000 }, (_, i) => `$${i}`) } })],
    ['no predecessors', (event) => ({ event: { ...event, prev_events: [] } })],
    ['a thousand auth events', (event) => ({ event: { ...event, auth_events: Array.from({ length: 1_000 }, (_, i) => `$${i}`) } })],
    ['auth events that are none', (event) => ({ event: { ...event, auth_events: [{}, 7] } })],
    ['a negative depth', (event) => ({ event: { ...event, depth: -1 } })],
    ['a text as depth', (event) => ({ event: { ...event, depth: '7' } })],
    ['an unknown version', (event) => ({ room_version: 'evil', event })],
    ['a version that is no text', (event) => ({ room_version: {}, event })],
    ['a list as event', () => ({ event: [] })],
    ['HTML', () => '<html>'],
  ] // prettier-ignore
  it.each(TEMPLATES)('J2: with %s in its template has nothing signed', async (_name, lie) => {
    let sent = 0
    const room = roomOf(world.hostile, (_request, response, path) => {
      if (path.includes('/send_join/')) sent += 1
      if (!path.includes('/make_join/')) return false
      const event = {
        type: 'm.room.member',
        room_id: room.roomId,
        sender: world.alice.userId,
        state_key: world.alice.userId,
        content: { membership: 'join' },
        depth: 10,
        prev_events: [room.state.at(-1)!.id],
        auth_events: [room.state[0]!.id],
      }
      const answer = lie(event as unknown as JsonObject, room)
      if (typeof answer === 'string') response.writeHead(200).end(answer)
      else answerJson(response, { room_version: '11', ...(answer as object) })
      return true
    })
    const { status } = await join(world.alice, room, world.hostile.server.name)
    expect([400, 403, 404, 502]).toContain(status)
    expect(sent).toBe(0)
    expect(await joinedRooms(world.alice)).not.toContain(room.roomId)
  })

  type Whole = { state: unknown[]; auth_chain: unknown[]; [more: string]: unknown }
  type Falsify = (good: Whole, room: ForeignRoom) => unknown
  const forgedName = (room: ForeignRoom): JsonObject =>
    signedAsItIs(
      {
        type: 'm.room.name',
        sender: `@creator:${world.honest.server.name}`,
        state_key: '',
        room_id: room.roomId,
        content: { name: 'Forged' },
        depth: 7,
        origin_server_ts: 1,
        prev_events: [room.state[3]!.id],
        auth_events: [room.state[0]!.id, room.state[2]!.id],
      },
      rules,
      world.hostile.server.signer,
    )
  const ANSWERS: readonly (readonly [string, Falsify])[] = [
    ['no state', (good) => ({ ...good, state: [] })],
    ['no state and no auth chain', (good) => ({ ...good, state: [], auth_chain: [] })],
    ['no create event', (good) => ({ ...good, state: good.state.slice(1), auth_chain: good.auth_chain.slice(1) })],
    ['events without signatures', (good) => ({ ...good, state: good.state.map((pdu) => ({ ...(pdu as object), signatures: {} })), auth_chain: [] })],
    ['the events of another room', (good) => ({ ...good, ...otherRoom() })],
    ['texts for events', () => ({ state: ['x', 7, null], auth_chain: [{}] })],
    ['objects for lists', () => ({ state: {}, auth_chain: {} })],
    ['an event of ten megabytes', (good) => ({ ...good, state: [{ padding: 'x'.repeat(10_000_000) }] })],
    ['half an answer', () => '{"state":[{"type":"m.room.create"'],
    ['HTML', () => '<html>'],
  ] // prettier-ignore
  const otherRoom = (): Partial<Whole> => {
    const other = foreignRoom([world.hostile.server], 1, 0, `other${names++}`)
    return { state: other.state.map(({ pdu }) => pdu), auth_chain: [] }
  }
  const answering = (falsify: Falsify): ForeignRoom => {
    const room = roomOf(world.hostile, (request, response, path) => {
      if (!path.includes('/send_join/')) return false
      request.resume()
      const pdus = (events: ForeignRoom['state']): unknown[] => events.map(({ pdu }) => pdu)
      const good = {
        origin: world.hostile.server.name,
        members_omitted: false,
        state: pdus(room.state),
        auth_chain: pdus(room.state),
      }
      const answer = falsify(good, room)
      if (typeof answer === 'string') response.writeHead(200).end(answer)
      else answerJson(response, answer as object)
      return true
    })
    return room
  }
  it.each(ANSWERS)(
    'J8: with %s in its answer is not believed, and leaves no room behind',
    async (_name, falsify) => {
      const room = answering(falsify)
      const { status } = await join(world.alice, room, world.hostile.server.name)
      expect([400, 403, 404, 502]).toContain(status)
      expect(await joinedRooms(world.alice)).not.toContain(room.roomId)
      const { rooms } = await world.alice.ok('GET', v3('/sync'), undefined, { timeout: 0 })
      expect(Object.keys(rooms?.join ?? {})).not.toContain(room.roomId)
      // The same room can be joined once its server is honest.
      world.hostile.server.answer = (request, response, path) => room.answer(request, response, path)
      expect((await join(world.alice, room, world.hostile.server.name)).status).toBe(200)
      expect((await stateOf(world.alice, room.roomId)).has('m.room.create/')).toBe(true)
    },
  )

  it('J8: with events of others among the state loses those alone', async () => {
    const room = answering((good, self) => ({
      ...good,
      state: [...good.state, forgedName(self), { type: 7 }],
    }))
    expect((await join(world.alice, room, world.hostile.server.name)).status).toBe(200)
    const found = await stateOf(world.alice, room.roomId)
    expect(found.has('m.room.name/')).toBe(false)
    expect(found.get(`m.room.member/${world.alice.userId}`)).toMatchObject({ membership: 'join' })
  })

  it('J6: though it is dead, keeps nobody from the next server', async () => {
    const room = roomOf(world.hostile)
    const dead = await world.another()
    await dead.server.close()
    const answer = await join(world.alice, room, 'localhost:1', dead.server.name, world.honest.server.name, world.hostile.server.name) // prettier-ignore
    expect(answer.status).toBe(200)
  })

  it('J7: goes on in a room that all users here have left, is not listened to, and heard again after a new join', async () => {
    const room = roomOf(world.hostile)
    const { name } = world.hostile.server
    expect((await join(world.alice, room, name)).status).toBe(200)
    await sendPdus(world.hostile.server, world.node, [room.say('while she was there')])
    await eventually('the first text', async () =>
      (await textsIn(world.alice, room.roomId)).includes('while she was there'),
    )
    await world.alice.ok('POST', v3(`/rooms/${enc(room.roomId)}/leave`))
    const late = room.say('after she left')
    const { pdus } = await sendPdus(world.hostile.server, world.node, [late])
    expect(pdus[late.id]?.error).toBeDefined()
    expect(await textsIn(world.alice, room.roomId)).not.toContain('after she left')
    expect((await join(world.alice, room, name)).status).toBe(200)
    await sendPdus(world.hostile.server, world.node, [room.say('again')])
    await eventually('the text after the new join', async () =>
      (await textsIn(world.alice, room.roomId)).includes('again'),
    )
  })
})

const withoutUndefined = (fields: object): JsonObject => JSON.parse(JSON.stringify(fields)) as JsonObject

describe('a hostile peer that comes in itself', () => {
  it('J1: sends no other event than the membership that it was given', async () => {
    const { alice, hostile } = world
    const roomId = await createRoom(alice, { preset: 'public_chat', room_version: '11' })
    const other = await createRoom(alice, { preset: 'public_chat', room_version: '11' })
    const eve = hostile.user()
    const { event } = await hostile.prepare('join', roomId, eve)
    const good = event.pdu as unknown as JsonObject
    const { signatures: _signatures, hashes: _hashes, unsigned: _unsigned, ...fields } = good
    const made = (changes: object): JsonObject =>
      signedAsItIs(withoutUndefined({ ...fields, ...changes }), rules, hostile.server.signer)
    const send = (pdu: unknown, id: string, room = roomId, kind = 'join'): Promise<Answer> =>
      hostile.call('PUT', fed(`/send_${kind}/${enc(room)}/${enc(id)}`, kind === 'knock' ? 1 : 2), { body: pdu, ...unchecked }) // prettier-ignore
    const idOf = (pdu: JsonObject): string => eventId(pdu as unknown as Pdu, rules)
    const forged = [
      { type: 'm.room.message', content: { msgtype: 'm.text', body: 'forged' } },
      { content: { membership: 'invite' } },
      { content: { membership: 'ban' } },
      { content: { membership: 'leave' } },
      { content: {} },
      { state_key: hostile.user() },
      { state_key: alice.userId },
      { sender: alice.userId, state_key: alice.userId },
      { room_id: other },
      { state_key: undefined },
      { auth_events: [] },
      { depth: 'x' },
    ].map(made)
    const answers = [
      ...(await Promise.all(forged.map((pdu) => send(pdu, idOf(pdu))))),
      await send(good, `$${'A'.repeat(43)}`),
      await send(good, idOf(good), other),
      await send(good, idOf(good), roomId, 'leave'),
      await send(good, idOf(good), roomId, 'knock'),
      await send({ ...good, signatures: {} }, idOf(good)),
      await send([good], idOf(good)),
      await send({}, idOf(good)),
    ]
    for (const [i, { status }] of answers.entries()) {
      expect([i, status]).toEqual([i, expect.any(Number)])
      expect([400, 403, 404]).toContain(status)
    }
    const members = [...(await stateOf(alice, roomId)).keys()].filter((key) =>
      key.startsWith('m.room.member/'),
    )
    expect(members).toEqual([`m.room.member/${alice.userId}`])
    // What it was given itself still is good.
    expect((await send(good, idOf(good))).status).toBe(200)
  })

  /** An invite of alice by a user of the peer, to a room that is nowhere else. */
  function invitation(peer: Peer, changes: object = {}, roomName = `inviting${names++}`): JsonObject {
    const roomId = `!${roomName}:${peer.server.name}`
    const fields = {
      type: 'm.room.member',
      sender: `@eve:${peer.server.name}`,
      state_key: world.alice.userId,
      room_id: roomId,
      content: { membership: 'invite' },
      depth: 5,
      origin_server_ts: Date.now(),
      prev_events: [`$${'A'.repeat(42)}E`],
      auth_events: [`$${'A'.repeat(42)}I`],
    }
    return signedAsItIs(withoutUndefined({ ...fields, ...changes }), rules, peer.server.signer)
  }
  const inviteCall = (peer: Peer, event: JsonObject, body: object = {}, path: { room?: string; id?: string } = {}): Promise<Answer> => {
    const id = path.id ?? eventId(event as unknown as Pdu, rules)
    const room = path.room ?? (event['room_id'] as string)
    return peer.call('PUT', fed(`/invite/${enc(room)}/${enc(id)}`, 2), {
      body: { room_version: '11', event, invite_room_state: [], ...body },
      ...unchecked,
    })
  } // prettier-ignore

  it('J3: has nothing signed that is no invite of a user of this server by one of its own', async () => {
    const { alice, hostile, honest } = world
    const lies: [object, object?, { room?: string; id?: string }?][] = [
      [{ type: 'm.room.power_levels' }],
      [{ content: { membership: 'join' } }],
      [{ content: { membership: 'ban' } }],
      [{ content: {} }],
      [{ state_key: `@x:${honest.server.name}` }],
      [{ state_key: '' }],
      [{ state_key: `@no-such-user:${world.node.serverName}` }],
      [{ sender: `@x:${honest.server.name}` }],
      [{ sender: alice.userId }],
      [{ room_id: 'x' }],
      [{}, { room_version: 'evil' }],
      [{}, { room_version: 7 }],
      [{}, { event: [] }],
      [{}, {}, { id: `$${'A'.repeat(43)}` }],
      [{}, {}, { room: '!other:localhost' }],
    ]
    for (const [changes, body = {}, path = {}] of lies) {
      const event = invitation(hostile, changes)
      let id: string
      try {
        id = path.id ?? eventId(event as unknown as Pdu, rules)
      } catch {
        id = `$${'A'.repeat(43)}`
      }
      const answer = await inviteCall(hostile, event, body, { ...path, id })
      expect([JSON.stringify([changes, body, path]), answer.status]).toEqual([
        expect.any(String),
        expect.any(Number),
      ])
      expect([400, 403, 404]).toContain(answer.status)
      expect(JSON.stringify(answer.body)).not.toContain('"signatures"')
    }
    const { rooms } = await alice.ok('GET', v3('/sync'))
    expect(Object.keys(rooms?.invite ?? {})).toEqual([])
  })

  it('J4: is told so where a user blocks invites, and bounded where it floods one', async () => {
    const carol = await register(world.node.url, 'carol')
    const answers: Answer[] = []
    for (let i = 0; i < 130; i += 10)
      answers.push(
        ...(await Promise.all(
          Array.from({ length: 10 }, () =>
            inviteCall(world.hostile, invitation(world.hostile, { state_key: carol.userId })),
          ),
        )),
      )
    const taken = answers.filter(({ status }) => status === 200).length
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThanOrEqual(100)
    for (const { status, body } of answers.filter((answer) => answer.status !== 200))
      expect([status, body.errcode]).toEqual([expect.any(Number), expect.stringMatching(/^M_(FORBIDDEN|LIMIT_EXCEEDED)$/)]) // prettier-ignore
    const { rooms } = await carol.ok('GET', v3('/sync'))
    expect(Object.keys(rooms.invite)).toHaveLength(taken)
    // Others may still invite her.
    const roomId = await createRoom(world.alice)
    await world.alice.ok('POST', v3(`/rooms/${enc(roomId)}/invite`), { user_id: carol.userId })
  })

  it('J5: is gone when its invite is rejected, and the user is rid of it', async () => {
    const peer = await world.another()
    const event = invitation(peer)
    expect((await inviteCall(peer, event)).status).toBe(200)
    const roomId = event['room_id'] as string
    const invited = async (): Promise<boolean> =>
      roomId in ((await world.alice.ok('GET', v3('/sync'))).rooms?.invite ?? {})
    expect(await invited()).toBe(true)
    await peer.server.close()
    await world.alice.ok('POST', v3(`/rooms/${enc(roomId)}/leave`))
    expect(await invited()).toBe(false)
  })
})
