import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { buildEvent, type EventFields } from '../../../core/event/build.js'
import { outsideEnd } from '../../sync/outside-end.js'
import type { RoomEvent } from '../../../core/event/types.js'
import type { JsonObject } from '../../../core/json/value.js'
import { roomVersion } from '../../../core/room-version/versions.js'
import { createSigner, generateSigningKey } from '../../../platform/ed25519.js'
import { systemRandom } from '../../../platform/random.js'
import { FederationError } from '../../federation/client.js'
import type { CreateRoomInput } from '../../rooms/create-room-input.js'
import { as, createWorld, type HandshakeNode, type World } from '../testing/handshakes.js'

let world: World
let a: HandshakeNode
let b: HandshakeNode
beforeEach(async () => {
  world = createWorld()
  a = await world.node('a.example')
  b = await world.node('b.example')
})
afterEach(() => world.close())

const ANA = '@ana:a.example'
const BO = '@bo:b.example'
const roomOf = async (input: CreateRoomInput): Promise<string> =>
  (await a.creation.create(as(ANA), input)).room_id
const restricted = (allowed: string, rule = 'restricted'): CreateRoomInput => ({
  preset: 'private_chat',
  initial_state: [
    {
      type: 'm.room.join_rules',
      content: { join_rule: rule, allow: [{ type: 'm.room_membership', room_id: allowed }] },
    },
  ],
})
const join = (node: HandshakeNode, userId: string, roomId: string, via = ['a.example']) =>
  node.memberships.join(as(userId), { room: roomId, via })
const setState = (roomId: string, type: string, content: JsonObject) =>
  a.sending.state(as(ANA), { roomId, type, stateKey: '', content })
const segment = encodeURIComponent
/** A template from a.example, and the event that b.example makes of it. */
async function signedBy(
  node: HandshakeNode,
  kind: string,
  roomId: string,
  userId: string,
  change: Partial<EventFields> = {},
): Promise<RoomEvent> {
  const path = `/_matrix/federation/v1/make_${kind}/${segment(roomId)}/${segment(userId)}`
  const versions = kind === 'leave' ? '' : '?ver=11&ver=12'
  const { status, body } = await a.ask(node.name, 'GET', path + versions)
  expect(status).toBe(200)
  const { event, room_version: version } = body as { event: Record<string, never>; room_version: string }
  return buildEvent(
    {
      type: 'm.room.member',
      sender: userId,
      stateKey: userId,
      content: event['content']!,
      roomId,
      depth: event['depth']!,
      originServerTs: Date.now(),
      prevEvents: event['prev_events']!,
      authEvents: event['auth_events']!,
      ...change,
    },
    roomVersion(version)!,
    node.signer,
  )
}
const put = (origin: string, endpoint: string, roomId: string, event: RoomEvent, id = event.id) =>
  a.ask(origin, 'PUT', `/_matrix/federation/${endpoint}/${segment(roomId)}/${segment(id)}`, event.pdu)

describe('a restricted room', () => {
  it('lets in who is in the allowed room, with the signature of the server that lets them in', async () => {
    const allowed = await roomOf({ preset: 'public_chat' })
    const roomId = await roomOf(restricted(allowed))
    await expect(join(b, BO, roomId)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await join(b, BO, allowed)
    await join(b, BO, roomId)
    const id = (await b.state(roomId)).get(`m.room.member|${BO}`)!
    const { event } = (await b.context.events.byId(id))!
    expect(event.content['join_authorised_via_users_server']).toBe(ANA)
    expect(Object.keys(event.pdu.signatures).sort()).toEqual(['a.example', 'b.example'])
    expect(await a.state(roomId)).toEqual(await b.state(roomId))
  })

  it('is not opened by naming one of our users without being in the allowed room', async () => {
    const allowed = await roomOf({ preset: 'public_chat' })
    const roomId = await roomOf(restricted(allowed))
    await join(b, BO, allowed)
    const honest = await signedBy(b, 'join', roomId, BO)
    // @eve is in no room; the event says that @ana lets her in.
    const forged = await signedBy(b, 'join', roomId, BO, {
      sender: '@eve:b.example',
      stateKey: '@eve:b.example',
    })
    expect(await put('b.example', 'v2/send_join', roomId, forged)).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    })
    expect(await a.membership(roomId, '@eve:b.example')).toBeUndefined()
    expect(await put('b.example', 'v2/send_join', roomId, honest)).toMatchObject({ status: 200 })
  })

  it('tells apart what it cannot know and what it may not do', async () => {
    const roomId = await roomOf(restricted('!elsewhere:c.example'))
    const make = `/_matrix/federation/v1/make_join/${segment(roomId)}/${segment(BO)}?ver=12`
    expect(await a.ask('b.example', 'GET', make)).toMatchObject({
      status: 400,
      body: { errcode: 'M_UNABLE_TO_AUTHORISE_JOIN' },
    })
    const known = await roomOf({ preset: 'public_chat' })
    const c = await world.node('c.example')
    await join(c, '@cid:c.example', known)
    await join(b, BO, known)
    // b.example may let nobody in: inviting takes a level that only @ana has.
    const tight = await roomOf({ ...restricted(known), power_level_content_override: { invite: 100 } })
    await a.memberships.invite(as(ANA), { roomId: tight, userId: BO })
    await join(b, BO, tight)
    await expect(join(c, '@cid:c.example', tight, ['b.example'])).rejects.toMatchObject({
      errcode: 'M_UNABLE_TO_GRANT_JOIN',
    })
    await join(c, '@cid:c.example', tight, ['b.example', 'a.example'])
  })
})

describe('make_join and send_join', () => {
  it('refuse unknown rooms, other versions, others’ users, and servers shut out', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const make = (id: string, user = BO, query = '?ver=12') =>
      a.ask('b.example', 'GET', `/_matrix/federation/v1/make_join/${segment(id)}/${segment(user)}${query}`)
    expect(await make('!x:a.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } })
    expect(await make(roomId, BO, '')).toMatchObject({
      status: 400,
      body: { errcode: 'M_INCOMPATIBLE_ROOM_VERSION', room_version: '12' },
    })
    expect(await make(roomId, '@x:c.example')).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    })
    await setState(roomId, 'm.room.server_acl', { allow: ['*'], deny: ['b.example'] })
    expect(await make(roomId)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } })
  })

  it('hand out no hashes or signatures of ours on an event of another server’s user', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const path = `/_matrix/federation/v1/make_join/${segment(roomId)}/${segment(BO)}?ver=12`
    const { body } = await a.ask('b.example', 'GET', path)
    const { event } = body as { event: JsonObject }
    expect(Object.keys(event)).not.toContain('signatures')
    expect(Object.keys(event)).not.toContain('hashes')
  })

  it('take nothing but the join of the origin’s own user that the path names', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const other = await roomOf({ preset: 'public_chat' })
    const good = await signedBy(b, 'join', roomId, BO)
    const bad: [RoomEvent, string?, string?][] = [
      [await signedBy(b, 'join', roomId, BO, { type: 'm.room.topic', content: { topic: 'x' } })],
      [await signedBy(b, 'join', roomId, BO, { content: { membership: 'leave' } })],
      [await signedBy(b, 'join', roomId, BO, { stateKey: '@other:b.example' })],
      [await signedBy(b, 'join', roomId, BO, { stateKey: undefined })],
      [await signedBy(b, 'join', roomId, BO, { sender: ANA, stateKey: ANA })],
      [await signedBy(b, 'join', roomId, BO, { prevEvents: [`$${'a'.repeat(42)}A`] })],
      [good, roomId, `$${'b'.repeat(42)}A`],
      [good, other],
      [{ ...good, pdu: { ...good.pdu, content: { membership: 'join', displayname: 'altered' } } }],
      [{ ...good, pdu: { ...good.pdu, signatures: {} } }],
    ]
    for (const [event, room = roomId, id = event.id] of bad) {
      const answer = await put('b.example', 'v2/send_join', room, event, id)
      expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } })
    }
    expect(await put('c.example', 'v2/send_join', roomId, good)).toMatchObject({ status: 400 })
    expect(await a.membership(roomId, BO)).toBeUndefined()
    expect(await put('b.example', 'v2/send_join', roomId, good)).toMatchObject({
      status: 200,
      body: { members_omitted: false, servers_in_room: ['a.example'], origin: 'a.example' },
    })
  })

  it('answer in the form of the first version too', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const event = await signedBy(b, 'join', roomId, BO)
    const { status, body } = await put('b.example', 'v1/send_join', roomId, event)
    expect(status).toBe(200)
    expect(body).toMatchObject([200, { state: expect.anything(), auth_chain: expect.anything() }])
  })

  it('do not answer a join that is sent again after its user was banned', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const event = await signedBy(b, 'join', roomId, BO)
    expect(await put('b.example', 'v2/send_join', roomId, event)).toMatchObject({ status: 200 })
    await a.memberships.ban(as(ANA), { roomId, userId: BO })
    expect(await put('b.example', 'v2/send_join', roomId, event)).toMatchObject({ status: 403 })
  })

  it('queue the join for the other servers in the room, and not for its origin', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const c = await world.node('c.example')
    await join(c, '@cid:c.example', roomId)
    await join(b, BO, roomId)
    const { pendingDestinations } = await import('../../../storage/tables/outbox.js')
    expect(await a.store.read('test.outbox', pendingDestinations)).toEqual(['c.example'])
  })
})

describe('an invite to another server', () => {
  it('is shown to the user with the room’s stripped state, and accepted by a join', async () => {
    const roomId = await roomOf({ preset: 'private_chat', name: 'Secret' })
    await a.memberships.invite(as(ANA), { roomId, userId: BO, reason: 'please' })
    const row = (await b.membership(roomId, BO))!
    expect(row).toMatchObject({ membership: 'invite', sender: ANA })
    const shown = JSON.parse(row.stripped_state!) as JsonObject[]
    expect(shown.map((event) => event['type'])).toEqual(
      expect.arrayContaining(['m.room.create', 'm.room.join_rules', 'm.room.member', 'm.room.name']),
    )
    for (const event of shown) {
      expect(Object.keys(event).sort().join()).toMatch(
        /^content,(event_id,origin_server_ts,)?sender,state_key,type$/,
      )
    }
    const id = (await a.state(roomId)).get(`m.room.member|${BO}`)!
    const { pdu } = (await a.context.events.byId(id))!.event
    expect(Object.keys(pdu.signatures).sort()).toEqual(['a.example', 'b.example'])
    await b.memberships.join(as(BO), { room: roomId, via: [] })
    expect(await b.state(roomId)).toEqual(await a.state(roomId))
  })

  it('of rooms of old versions works too, by either version of the endpoint', async () => {
    for (const version of ['1', '2', '6']) {
      const roomId = await roomOf({ preset: 'private_chat', room_version: version })
      if (version !== '6') {
        world.intercept = (request, answer) =>
          request.path.includes('/v2/invite/') ? Promise.reject(notThere()) : answer()
      }
      await a.memberships.invite(as(ANA), { roomId, userId: BO })
      world.intercept = (_request, answer) => answer()
      await b.memberships.join(as(BO), { room: roomId, via: [] })
      expect((await b.membership(roomId, BO))?.membership).toBe('join')
    }
  })

  it('can be rejected, also when the inviting server is gone', async () => {
    const roomId = await roomOf({ preset: 'private_chat' })
    await a.memberships.invite(as(ANA), { roomId, userId: BO })
    await b.memberships.leave(as(BO), { roomId, reason: 'no' })
    expect((await b.membership(roomId, BO))?.membership).toBe('leave')
    expect((await a.membership(roomId, BO))?.membership).toBe('leave')
    const shown = async () => outsideEnd((await b.membership(roomId, BO))!)?.json
    const id = (await a.state(roomId)).get(`m.room.member|${BO}`)
    expect(await shown()).toMatchObject({ event_id: id, content: { membership: 'leave', reason: 'no' } })
    await a.memberships.invite(as(ANA), { roomId, userId: BO })
    expect(await shown()).toBeUndefined()
    world.intercept = () => Promise.reject(notThere())
    await b.memberships.leave(as(BO), { roomId })
    expect((await b.membership(roomId, BO))?.membership).toBe('leave')
    expect(await shown()).toMatchObject({ sender: BO, state_key: BO, content: { membership: 'leave' } })
  })

  it('is in the room at once where the server is there already', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    await join(b, BO, roomId)
    await a.memberships.invite(as(ANA), { roomId, userId: '@bea:b.example' })
    expect(await b.membership(roomId, '@bea:b.example')).toMatchObject({
      membership: 'invite',
      stripped_state: null,
    })
    expect(await b.state(roomId)).toEqual(await a.state(roomId))
  })

  it('is sent on to the other servers in the room', async () => {
    const roomId = await roomOf({ preset: 'public_chat' })
    const c = await world.node('c.example')
    await join(c, '@cid:c.example', roomId)
    await a.memberships.invite(as(ANA), { roomId, userId: BO })
    const { pendingDestinations } = await import('../../../storage/tables/outbox.js')
    expect(await a.store.read('test.outbox', pendingDestinations)).toEqual(['c.example'])
  })

  it('is believed only if the other server has signed it', async () => {
    const roomId = await roomOf({ preset: 'private_chat' })
    for (const change of [
      (event: JsonObject) => ({ ...event, signatures: {} }),
      (event: JsonObject) => ({ ...event, content: { membership: 'join' } }),
      (event: JsonObject) => ({ ...event, depth: 99 }),
      () => 'nothing',
    ]) {
      world.intercept = async (_request, answer) => {
        const { event } = JSON.parse(await answer()) as { event: JsonObject }
        return JSON.stringify({ event: change(event) })
      }
      await expect(a.memberships.invite(as(ANA), { roomId, userId: BO })).rejects.toMatchObject({
        status: 502,
      })
    }
    expect(await a.membership(roomId, BO)).toBeUndefined()
  })
})

describe('an invite from another server', () => {
  const evil = createSigner(generateSigningKey(systemRandom))
  const signer = { serverName: 'evil.example', keyId: evil.keyId, sign: evil.sign }
  const EVE = '@eve:evil.example'
  const ROOM = '!room:evil.example'
  const rules = roomVersion('11')!
  const make = (change: Partial<EventFields> = {}, version = rules): RoomEvent =>
    buildEvent(
      {
        type: 'm.room.member',
        sender: EVE,
        stateKey: ANA,
        content: { membership: 'invite' },
        roomId: ROOM,
        depth: 9,
        originServerTs: Date.now(),
        prevEvents: [`$${'a'.repeat(42)}A`],
        authEvents: [`$${'a'.repeat(42)}A`],
        ...change,
      },
      version,
      signer,
    )
  const invite = (event: RoomEvent, change: JsonObject = {}, room = event.roomId, id = event.id) =>
    a.ask('evil.example', 'PUT', `/_matrix/federation/v2/invite/${segment(room)}/${segment(id)}`, {
      event: event.pdu,
      room_version: event.rules.id,
      invite_room_state: [],
      ...change,
    })
  beforeEach(() => void world.strangers.set('evil.example', evil))

  it('is signed if it is an invite of one of our users by one of theirs, and nothing else', async () => {
    const bad: [RoomEvent, string?, string?][] = [
      [make({ type: 'm.room.power_levels', stateKey: '' })],
      [make({ content: { membership: 'join' } })],
      [make({ content: { membership: 'ban' } })],
      [make({ stateKey: undefined })],
      [make({ stateKey: '@x:evil.example' })],
      [make({ sender: ANA })],
      [make({ sender: BO })],
      [make(), '!other:evil.example'],
      [make(), ROOM, `$${'b'.repeat(42)}A`],
      [{ ...make(), pdu: { ...make().pdu, signatures: {} } }],
    ]
    for (const [event, room, id] of bad) {
      expect(await invite(event, {}, room, id)).toMatchObject({
        status: 400,
        body: { errcode: 'M_INVALID_PARAM' },
      })
    }
    expect(await a.membership(ROOM, ANA)).toBeUndefined()
    const event = make()
    const { status, body } = await invite(event)
    expect(status).toBe(200)
    const { signatures, ...rest } = (body as { event: JsonObject }).event
    const { signatures: _theirs, ...sent } = event.pdu
    expect(rest).toEqual(sent)
    expect(Object.keys(signatures as JsonObject).sort()).toEqual(['a.example', 'evil.example'])
  })

  it('is refused for users whom we do not have, and for versions that we do not know', async () => {
    expect(await invite(make({ stateKey: '@nobody:a.example' }))).toMatchObject({ status: 404 })
    expect(await invite(make(), { room_version: '99' })).toMatchObject({
      status: 400,
      body: { errcode: 'M_INCOMPATIBLE_ROOM_VERSION', room_version: '99' },
    })
    expect(await invite(make(), { room_version: null })).toMatchObject({ status: 400 })
    // Version 12 proves the room: its create event must be there.
    const id = `!${'c'.repeat(42)}A`
    expect(await invite(make({ roomId: id, authEvents: [] }, roomVersion('12')!))).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
    })
  })

  it('shows the user nothing of its state but four fields of proper types', async () => {
    const create = make({ type: 'm.room.create', sender: EVE, stateKey: '', content: { room_version: '11' } })
    const forged = { ...create.pdu, content: { room_version: '11', forged: true } }
    const stripped = {
      type: 'm.room.name',
      sender: EVE,
      state_key: '',
      content: { name: 'x' },
      unsigned: { a: 1 },
    }
    const state = [create.pdu, stripped, { type: 'm.room.topic' }, 'junk', null]
    expect(await invite(make(), { invite_room_state: state as never })).toMatchObject({ status: 200 })
    const shown = JSON.parse((await a.membership(ROOM, ANA))!.stripped_state!) as JsonObject[]
    expect(shown.map((event) => event['type'])).toEqual(['m.room.create', 'm.room.name', 'm.room.member'])
    expect(shown[1]).toEqual({ type: 'm.room.name', sender: EVE, state_key: '', content: { name: 'x' } })
    // In version 11 the redacted create event keeps all its content, so the forged one has another id and a bad signature.
    expect(await invite(make(), { invite_room_state: [forged] })).toMatchObject({ status: 400 })
    const old = { ...create.pdu, content: { room_version: '6' }, signatures: undefined }
    const { signatures: _none, ...bare } = old
    expect(await invite(make(), { invite_room_state: [bare as never] })).toMatchObject({ status: 400 })
    const many = Array.from({ length: 101 }, () => stripped)
    expect(await invite(make(), { invite_room_state: many })).toMatchObject({ status: 400 })
    const large = { ...stripped, content: { name: 'x'.repeat(50_000) } }
    const heavy = [large, large, large]
    expect(await invite(make(), { invite_room_state: heavy })).toMatchObject({ status: 400 })
  })

  it('is refused where the user has a hundred of that server that are unanswered', async () => {
    const invited = (i: number) => invite(make({ roomId: `!room${i}:evil.example` }))
    for (let i = 0; i < 100; i++) expect(await invited(i)).toMatchObject({ status: 200 })
    expect(await invited(100)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } })
    expect(await a.membership('!room100:evil.example', ANA)).toBeUndefined()
    expect(await invited(99)).toMatchObject({ status: 200 })
    await a.memberships.leave(as(ANA), { roomId: '!room7:evil.example' })
    expect(await invited(100)).toMatchObject({ status: 200 })
  })
})

describe('a knock at another server’s room', () => {
  it('is stored with what the server tells of the room, and followed by an invite', async () => {
    const roomId = await roomOf({
      preset: 'private_chat',
      name: 'Door',
      initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
    })
    await b.memberships.knock(as(BO), { room: roomId, via: ['a.example'], reason: 'please' })
    const row = (await b.membership(roomId, BO))!
    expect(row.membership).toBe('knock')
    expect(JSON.parse(row.stripped_state!)).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: 'm.room.name', content: { name: 'Door' } })]),
    )
    expect((await a.membership(roomId, BO))?.membership).toBe('knock')
    await a.memberships.invite(as(ANA), { roomId, userId: BO })
    await b.memberships.join(as(BO), { room: roomId, via: [] })
    expect((await b.membership(roomId, BO))?.membership).toBe('join')
  })

  it('is refused where the room does not let users knock, or its version has none', async () => {
    for (const version of ['6', '12']) {
      const roomId = await roomOf({ preset: 'private_chat', room_version: version })
      await expect(b.memberships.knock(as(BO), { room: roomId, via: ['a.example'] })).rejects.toMatchObject({
        errcode: 'M_FORBIDDEN',
      })
    }
  })
})

describe('aliases of other servers', () => {
  it('are resolved by their server, and for those of others nobody is asked on', async () => {
    const roomId = await roomOf({ preset: 'public_chat', room_alias_name: 'budget' })
    expect(await b.aliases.resolve('#budget:a.example')).toEqual({ room_id: roomId, servers: ['a.example'] })
    expect(await b.memberships.join(as(BO), { room: '#budget:a.example', via: [] })).toEqual({
      room_id: roomId,
    })
    for (const alias of ['#none:a.example', '#x:dead.example']) {
      await expect(b.aliases.resolve(alias)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    }
    const before = world.log.length
    const path = `/_matrix/federation/v1/query/directory?room_alias=${segment('#budget:a.example')}`
    expect(await b.ask('c.example', 'GET', path)).toMatchObject({ status: 404 })
    expect(world.log).toHaveLength(before)
  })
})

function notThere(): Error {
  return new FederationError('status', 'Unrecognised', { status: 404, errcode: 'M_UNRECOGNIZED' })
}
