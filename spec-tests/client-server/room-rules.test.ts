import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createRoom,
  enc,
  inRoom,
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
let carol: User
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
  carol = await register(node.url, 'carol')
})
afterAll(() => node.dispose())

const of = ({ status, body }: Answer): unknown => (status === 200 ? 200 : [status, body.errcode])
interface Event {
  event_id: string
  type: string
  content: Record<string, unknown>
  unsigned?: Record<string, unknown>
}
const bodies = (events: readonly Event[]): unknown[] =>
  events.map((event) => event.content['body']).filter(Boolean)
async function sharedRoom(body: object = {}): Promise<string> {
  const roomId = await createRoom(alice, { invite: [bob.userId], ...body })
  await bob.ok('POST', v3(`/join/${enc(roomId)}`))
  return roomId
}
const put = (user: User, roomId: string, type: string, body: object, key = ''): Promise<Answer> =>
  user.call('PUT', inRoom(roomId, `state/${type}/${enc(key)}`), { body })

describe('POST /createRoom', () => {
  it.each([
    ['private_chat', 'invite', 'shared', 'can_join'],
    ['trusted_private_chat', 'invite', 'shared', 'can_join'],
    ['public_chat', 'public', 'shared', 'forbidden'],
  ])('%s', async (preset, joinRule, visibility, guests) => {
    const roomId = await createRoom(alice, { preset, invite: [bob.userId], is_direct: true })
    const state = (type: string): Promise<Record<string, unknown>> =>
      alice.ok('GET', inRoom(roomId, `state/${type}`))
    expect(await state('m.room.join_rules')).toEqual({ join_rule: joinRule })
    expect(await state('m.room.history_visibility')).toEqual({ history_visibility: visibility })
    // Without such an event guests stay outside.
    const access = await alice.call('GET', inRoom(roomId, 'state/m.room.guest_access'))
    expect(access.status === 404 ? 'forbidden' : access.body['guest_access']).toBe(guests)
    expect(await state(`m.room.member/${enc(bob.userId)}`)).toMatchObject({
      membership: 'invite',
      is_direct: true,
    })
    const creators = (await state('m.room.create'))['additional_creators']
    expect(creators).toEqual(preset === 'trusted_private_chat' ? [bob.userId] : undefined)
  })

  it('gives trusted users the creator’s power before version 12', async () => {
    const roomId = await createRoom(alice, {
      preset: 'trusted_private_chat',
      invite: [bob.userId],
      room_version: '11',
    })
    const { users } = await alice.ok('GET', inRoom(roomId, 'state/m.room.power_levels'))
    expect(users).toEqual({ [alice.userId]: 100, [bob.userId]: 100 })
  })

  it('takes the initial state, in which later settings win, and what the creation says', async () => {
    const roomId = await createRoom(alice, {
      name: 'Named',
      room_alias_name: 'initial',
      creation_content: {
        type: 'm.space',
        'm.federate': false,
        predecessor: { room_id: '!old:x' },
        creator: '@evil:x',
      },
      initial_state: [
        { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } },
        { type: 'm.room.name', state_key: '', content: { name: 'Overridden' } },
        { type: 'org.example.x', state_key: 'key', content: { a: 1 } },
      ],
      power_level_content_override: { events_default: 10 },
    })
    const state = (type: string): Promise<Record<string, unknown>> =>
      alice.ok('GET', inRoom(roomId, `state/${type}`))
    expect(await state('m.room.create')).toEqual({
      type: 'm.space',
      'm.federate': false,
      predecessor: { room_id: '!old:x' },
      room_version: '12',
    })
    expect(await state('m.room.history_visibility')).toEqual({ history_visibility: 'joined' })
    expect(await state('m.room.name')).toEqual({ name: 'Named' })
    expect(await state('org.example.x/key')).toEqual({ a: 1 })
    expect(await state('m.room.canonical_alias')).toEqual({ alias: '#initial:localhost' })
    expect((await state('m.room.power_levels'))['events_default']).toBe(10)
    const found = await bob.ok('GET', v3(`/directory/room/${enc('#initial:localhost')}`))
    expect(found).toEqual({ room_id: roomId, servers: ['localhost'] })
  })

  it.each([
    ['levels that are strings', { power_level_content_override: { ban: '50' } }],
    ['levels that are lists', { power_level_content_override: { users: [] } }],
    ['levels that are null', { power_level_content_override: { kick: null } }],
    ['levels of no user', { power_level_content_override: { users: { nobody: 1 } } }],
    ['the creator among the levels', { power_level_content_override: { users: { SELF: 100 } } }],
    ['creators that are none', { creation_content: { additional_creators: ['nobody'] } }],
    ['creators that are no list', { creation_content: { additional_creators: 'x' } }],
    ['a second create event', { initial_state: [{ type: 'm.room.create', content: {} }] }],
    [
      'an ACL that shuts out everybody',
      { initial_state: [{ type: 'm.room.server_acl', content: { allow: [] } }] },
    ],
    [
      'another room’s alias',
      { initial_state: [{ type: 'm.room.canonical_alias', content: { alias: '#x:localhost' } }] },
    ],
    ['an alias with a colon', { room_alias_name: 'a:b' }],
    ['an alias with a space', { room_alias_name: 'a b' }],
    ['an empty alias', { room_alias_name: '' }],
    ['a preset that is none', { preset: 'chat' }],
    ['a visibility that is none', { visibility: 'secret' }],
    ['invites that are no list', { invite: 'x' }],
    ['state without a type', { initial_state: [{ content: {} }] }],
    [
      'a member of somebody else',
      { initial_state: [{ type: 'm.room.member', state_key: '@x:y', content: { membership: 'join' } }] },
    ],
  ])('refuses %s', async (_what, body) => {
    const text = JSON.stringify(body).replaceAll('SELF', alice.userId)
    const answer = await alice.call('POST', v3('/createRoom'), { body: text })
    expect([answer.status, typeof answer.body.errcode]).toEqual([400, 'string'])
  })

  it('makes no room for an invitee that does not exist', async () => {
    const before = await alice.ok('GET', v3('/joined_rooms'))
    const answer = await alice.call('POST', v3('/createRoom'), { body: { invite: ['@nobody:localhost'] } })
    expect(of(answer)).toEqual([404, 'M_NOT_FOUND'])
    expect(await alice.ok('GET', v3('/joined_rooms'))).toEqual(before)
  })
})

describe('state', () => {
  it('with an empty key has two paths, to write and to read', async () => {
    const roomId = await createRoom(alice)
    await alice.ok('PUT', inRoom(roomId, 'state/m.room.topic'), { topic: 'a' })
    expect(await alice.ok('GET', inRoom(roomId, 'state/m.room.topic/'))).toEqual({ topic: 'a' })
    await alice.ok('PUT', inRoom(roomId, 'state/m.room.topic/'), { topic: 'b' })
    expect(await alice.ok('GET', inRoom(roomId, 'state/m.room.topic'))).toEqual({ topic: 'b' })
    const event = await alice.ok('GET', inRoom(roomId, 'state/m.room.topic'), undefined, { format: 'event' })
    expect(event).toMatchObject({
      type: 'm.room.topic',
      state_key: '',
      room_id: roomId,
      sender: alice.userId,
    })
    expect(of(await alice.call('GET', inRoom(roomId, 'state/m.room.none')))).toEqual([404, 'M_NOT_FOUND'])
  })

  it('is refused where power, key or owner do not suffice', async () => {
    const roomId = await sharedRoom({
      power_level_content_override: { state_default: 0, users: { [bob.userId]: 20 } },
    })
    expect(of(await put(bob, roomId, 'org.example.x', {}, alice.userId))).toEqual([403, 'M_FORBIDDEN'])
    expect(of(await put(bob, roomId, 'org.example.x', {}, bob.userId))).toBe(200)
    expect(of(await put(bob, roomId, 'm.room.create', {}))).toEqual([400, 'M_INVALID_PARAM'])
    const levels = await alice.ok('GET', inRoom(roomId, 'state/m.room.power_levels'))
    const promoted = { ...levels, users: { [bob.userId]: 100 } }
    expect(of(await put(bob, roomId, 'm.room.power_levels', promoted))).toEqual([403, 'M_FORBIDDEN'])
    for (const users of [{ [bob.userId]: '20' }, { [bob.userId]: null }, { [alice.userId]: 100 }, [], 'x']) {
      const answer = await put(alice, roomId, 'm.room.power_levels', { ...levels, users })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(404)
    }
    const acl = await put(alice, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['local*'] })
    expect(of(acl)).toEqual([400, 'M_BAD_JSON'])
    expect(of(await put(alice, roomId, 'm.room.server_acl', { allow: ['*'] }))).toBe(200)
  })

  it('that would change nothing is still refused to who may not send it', async () => {
    const roomId = await sharedRoom({ power_level_content_override: { state_default: 0 } })
    const first = await put(bob, roomId, 'org.example.x', { a: 1 })
    expect(await put(bob, roomId, 'org.example.x', { a: 1 })).toMatchObject({ body: first.body })
    await bob.ok('POST', inRoom(roomId, 'leave'))
    expect(of(await put(bob, roomId, 'org.example.x', { a: 1 }))).toEqual([403, 'M_FORBIDDEN'])
  })

  it('of members passes the checks of joins and invites', async () => {
    const allowed = await createRoom(alice)
    const roomId = await createRoom(alice, {
      initial_state: [
        {
          type: 'm.room.join_rules',
          content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: allowed }] },
        },
      ],
    })
    // Nobody lets themselves in by naming who would.
    const forged = { membership: 'join', join_authorised_via_users_server: alice.userId }
    expect(of(await put(bob, roomId, 'm.room.member', forged, bob.userId))).toEqual([403, 'M_FORBIDDEN'])
    expect(
      of(await put(alice, roomId, 'm.room.member', { membership: 'invite' }, '@nobody:localhost')),
    ).toEqual([404, 'M_NOT_FOUND'])
    expect(of(await put(alice, roomId, 'm.room.member', { membership: 'emperor' }, bob.userId))).toEqual([
      400,
      'M_BAD_JSON',
    ])
    expect(of(await put(alice, roomId, 'm.room.member', { membership: 'join' }, bob.userId))).toEqual([
      403,
      'M_FORBIDDEN',
    ])
    expect(of(await put(alice, roomId, 'm.room.member', { membership: 'invite' }, 'bob'))).toEqual([
      400,
      'M_INVALID_PARAM',
    ])
    await alice.ok('POST', inRoom(allowed, 'invite'), { user_id: bob.userId })
    await bob.ok('POST', v3(`/join/${enc(allowed)}`))
    expect(
      of(await put(bob, roomId, 'm.room.member', { membership: 'join', displayname: 'Bobby' }, bob.userId)),
    ).toBe(200)
    const member = await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(bob.userId)}`))
    expect(member).toMatchObject({ membership: 'join', displayname: 'Bobby' })
    expect(of(await put(bob, roomId, 'm.room.member', { membership: 'leave' }, bob.userId))).toBe(200)
  })
})

describe('redactions', () => {
  it.each(['10', '12'])('take the content from everywhere (version %s)', async (version) => {
    const roomId = await sharedRoom({ room_version: version })
    const before = await sendText(alice, roomId, 'before')
    const eventId = await sendText(bob, roomId, 'forget me')
    const { event_id: stateId } = await alice.ok('PUT', inRoom(roomId, 'state/org.example.x'), {
      forget: 'me',
    })
    const sync = await startSync(bob)
    await alice.ok('PUT', inRoom(roomId, `redact/${enc(eventId)}/a${version}`), { reason: 'why' })
    await alice.ok('PUT', inRoom(roomId, `redact/${enc(stateId)}/b${version}`), {})
    const answers = [
      await bob.ok('GET', inRoom(roomId, `event/${enc(eventId)}`)),
      await bob.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', limit: 50 }),
      await bob.ok('GET', inRoom(roomId, `context/${enc(before)}`), undefined, { limit: 20 }),
      await bob.ok('GET', inRoom(roomId, 'state')),
      await bob.ok('GET', v3('/sync')),
      await sync.next(),
    ]
    for (const answer of answers) expect(JSON.stringify(answer)).not.toContain('forget')
    const event = answers[0]
    expect(event.content).toEqual({})
    expect(event.unsigned.redacted_because).toMatchObject({
      type: 'm.room.redaction',
      content: { reason: 'why', redacts: eventId },
    })
    expect(event.unsigned.redacted_because.redacts).toBe(eventId)
    expect(await bob.ok('GET', inRoom(roomId, 'state/org.example.x'))).toEqual({})
  })

  it('are refused to those without power, and for the create event', async () => {
    const roomId = await sharedRoom()
    const eventId = await sendText(alice, roomId, 'mine')
    const [create] = (await bob.ok('GET', inRoom(roomId, 'state'))).filter(
      (event: Event) => event.type === 'm.room.create',
    )
    const redact = (user: User, room: string, id: string): Promise<Answer> =>
      user.call('PUT', inRoom(room, `redact/${enc(id)}/t${Math.random()}`), { body: {} })
    expect(of(await redact(bob, roomId, eventId))).toEqual([403, 'M_FORBIDDEN'])
    expect(of(await redact(alice, roomId, create.event_id))).toEqual([403, 'M_FORBIDDEN'])
    expect(of(await redact(carol, roomId, eventId))).toEqual([403, 'M_FORBIDDEN'])
    const bySend = await bob.call('PUT', inRoom(roomId, 'send/m.room.redaction/x'), {
      body: { redacts: eventId },
    })
    expect(of(bySend)).toEqual([403, 'M_FORBIDDEN'])
    expect((await bob.ok('GET', inRoom(roomId, `event/${enc(eventId)}`))).content.body).toBe('mine')
  })

  it.each(['1', '10', '12'])('say nothing of what is not in the room (version %s)', async (version) => {
    const elsewhere = await createRoom(alice)
    const hidden = await sendText(alice, elsewhere, 'elsewhere')
    const roomId = await sharedRoom({ room_version: version })
    const unknown = version === '1' ? '$unknown:localhost' : `$${'A'.repeat(43)}`
    const redact = (user: User, id: string): Promise<Answer> =>
      user.call('PUT', inRoom(roomId, `redact/${enc(id)}/u${Math.random()}`), { body: {} })
    const [ofBob, ofUnknown] = [await redact(bob, hidden), await redact(bob, unknown)]
    expect(of(ofUnknown)).toEqual([403, 'M_FORBIDDEN'])
    expect(ofBob.body).toEqual(ofUnknown.body)
    // Who may redact everything is told nothing either, and nothing happens in the other room.
    expect([of(await redact(alice, hidden)), of(await redact(alice, unknown))]).toEqual([200, 200])
    const untouched = await alice.ok('GET', inRoom(elsewhere, `event/${enc(hidden)}`))
    expect(untouched).toMatchObject({ content: { body: 'elsewhere' } })
    expect(untouched.unsigned?.redacted_because).toBeUndefined()
  })

  it.each(['x', '$', '$\u0000', `$${'x'.repeat(300)}`])('need an event id, which %j is not', async (id) => {
    const roomId = await createRoom(alice)
    const answer = await alice.call('PUT', inRoom(roomId, 'send/m.room.redaction/x'), {
      body: { redacts: id },
    })
    expect(of(answer)).toEqual([400, 'M_INVALID_PARAM'])
  })
})

describe('history visibility', () => {
  const cases = [
    ['world_readable', ['early', 'invited', 'joined'], ['early', 'invited', 'joined', 'gone'], true],
    ['shared', ['early', 'invited', 'joined'], ['early', 'invited', 'joined'], false],
    ['invited', ['invited', 'joined'], ['invited', 'joined'], false],
    ['joined', ['joined'], ['joined'], false],
  ] as const
  it.each(cases)('%s', async (visibility, member, left, stranger) => {
    const roomId = await createRoom(alice, {
      initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: visibility } }],
    })
    const ids = new Map<string, string>()
    const say = async (text: string): Promise<void> => void ids.set(text, await sendText(alice, roomId, text))
    await say('early')
    await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: bob.userId })
    await say('invited')
    const invitee = await bob.call('GET', inRoom(roomId, 'messages'), { query: { dir: 'b' } })
    expect(invitee.status).toBe(stranger ? 200 : 403)
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    await say('joined')
    const read = async (user: User): Promise<unknown[]> => {
      const answer = await user.call('GET', inRoom(roomId, 'messages'), { query: { dir: 'b', limit: 100 } })
      return answer.status === 200 ? bodies(answer.body.chunk).toReversed() : [answer.status]
    }
    const readEach = async (user: User): Promise<unknown[]> => {
      const seen: unknown[] = []
      for (const [text, id] of ids) {
        const answer = await user.call('GET', inRoom(roomId, `event/${enc(id)}`))
        if (answer.status === 200) seen.push(text)
        else expect(of(answer)).toEqual([404, 'M_NOT_FOUND'])
      }
      return seen
    }
    expect(await read(bob)).toEqual(member)
    expect(await readEach(bob)).toEqual(member)
    await bob.ok('POST', inRoom(roomId, 'leave'))
    await say('gone')
    expect(await read(bob)).toEqual(left)
    expect(await readEach(bob)).toEqual(left)
    expect(await read(carol)).toEqual(stranger ? [...ids.keys()] : [403])
    expect(await readEach(carol)).toEqual(stranger ? [...ids.keys()] : [])
    expect((await carol.call('GET', inRoom(roomId, 'state'))).status).toBe(stranger ? 200 : 403)
    expect((await carol.call('GET', inRoom(roomId, 'members'))).status).toBe(stranger ? 200 : 403)
    expect((await bob.call('POST', inRoom(roomId, 'forget'), { body: {} })).status).toBe(200)
    expect(await read(bob)).toEqual(stranger ? left : [403])
  })
})

describe('paging', () => {
  it('goes both ways, from tokens of /sync too, and ends', async () => {
    const roomId = await sharedRoom()
    const sent: string[] = []
    for (let i = 0; i < 5; i++) sent.push(await sendText(alice, roomId, `${i}`))
    const sync = await startSync(bob)
    for (let i = 5; i < 8; i++) sent.push(await sendText(alice, roomId, `${i}`))
    const page = (
      query: Record<string, string | number>,
    ): Promise<{ chunk: Event[]; end?: string; start: string }> =>
      bob.ok('GET', inRoom(roomId, 'messages'), undefined, query)
    const back = await page({ dir: 'b', from: sync.since, limit: 2 })
    expect(bodies(back.chunk)).toEqual(['4', '3'])
    const on = await page({ dir: 'b', from: back.end!, limit: 2 })
    expect(bodies(on.chunk)).toEqual(['2', '1'])
    const forth = await page({ dir: 'f', from: on.end!, limit: 3 })
    expect(bodies(forth.chunk)).toEqual(['1', '2', '3'])
    const rest = await page({ dir: 'f', from: sync.since, limit: 100 })
    expect(bodies(rest.chunk)).toEqual(['5', '6', '7'])
    expect(rest.end).toBeUndefined()
    const between = await page({ dir: 'b', from: sync.since, to: on.end!, limit: 100 })
    expect(bodies(between.chunk)).toEqual(['4', '3', '2', '1'])
    const all = await page({ dir: 'f', limit: 1_000 })
    expect(all.chunk[0]!.type).toBe('m.room.create')
    const filter = JSON.stringify({ types: ['m.room.message'], senders: [alice.userId] })
    expect(bodies((await page({ dir: 'f', limit: 3, filter })).chunk)).toEqual(['0', '1', '2'])
    for (const query of [
      { dir: 'x' },
      { dir: 'b', from: 'nonsense' },
      { dir: 'b', limit: '-1' },
      {},
    ] as const) {
      const answer = await bob.call('GET', inRoom(roomId, 'messages'), { query })
      expect(answer.status).toBe(400)
    }
  })

  it('gives the surroundings of an event, with tokens for more', async () => {
    const roomId = await sharedRoom()
    const sent: string[] = []
    for (let i = 0; i < 7; i++) sent.push(await sendText(alice, roomId, `${i}`))
    const around = await bob.ok('GET', inRoom(roomId, `context/${enc(sent[3]!)}`), undefined, { limit: 4 })
    expect(bodies(around.events_before)).toEqual(['2', '1'])
    expect(bodies(around.events_after)).toEqual(['4', '5'])
    expect(around.event.event_id).toBe(sent[3])
    const more = (dir: string, from: string): Promise<{ chunk: Event[] }> =>
      bob.ok('GET', inRoom(roomId, 'messages'), undefined, { dir, from, limit: 1 })
    expect(bodies((await more('b', around.start)).chunk)).toEqual(['0'])
    expect(bodies((await more('f', around.end)).chunk)).toEqual(['6'])
    const alone = await bob.ok('GET', inRoom(roomId, `context/${enc(sent[3]!)}`), undefined, { limit: 0 })
    expect([alone.events_before, alone.events_after]).toEqual([[], []])
    expect(of(await bob.call('GET', inRoom(roomId, 'context/$nowhere')))).toEqual([404, 'M_NOT_FOUND'])
  })

  it('tells members as they were, and no more than one may know', async () => {
    const roomId = await sharedRoom({ preset: 'public_chat' })
    const sync = await startSync(bob)
    await carol.ok('POST', v3(`/join/${enc(roomId)}`))
    const members = async (user: User, query = {}): Promise<string[]> =>
      (await user.ok('GET', inRoom(roomId, 'members'), undefined, query)).chunk
        .map((event: { state_key: string }) => event.state_key)
        .toSorted()
    const both = [alice.userId, bob.userId].toSorted()
    const all = [...both, carol.userId].toSorted()
    expect(await members(bob)).toEqual(all)
    expect(await members(bob, { at: sync.since })).toEqual(both)
    await bob.ok('POST', inRoom(roomId, 'leave'))
    expect(await members(alice, { membership: 'join' })).toEqual([alice.userId, carol.userId].toSorted())
    expect(await members(alice, { not_membership: 'join' })).toEqual([bob.userId])
    const dave = await register(node.url, 'dave')
    await dave.ok('POST', v3(`/join/${enc(roomId)}`))
    const later = await startSync(dave)
    expect(await members(bob)).toEqual(all)
    expect(await members(bob, { at: later.since })).toEqual(all)
    expect(await members(bob, { at: 't1_999999_0' })).toEqual(all)
    expect((await bob.call('GET', inRoom(roomId, 'joined_members'))).status).toBe(403)
  })
})

describe('aliases', () => {
  it('are taken once, removed by their owner or who has power, and lead to the room', async () => {
    const roomId = await sharedRoom()
    const alias = '#alias-one:localhost'
    const path = v3(`/directory/room/${enc(alias)}`)
    expect(of(await bob.call('GET', path))).toEqual([404, 'M_NOT_FOUND'])
    expect(of(await carol.call('PUT', path, { body: { room_id: roomId } }))).toEqual([403, 'M_FORBIDDEN'])
    expect(of(await alice.call('PUT', path, { body: { room_id: roomId } }))).toBe(200)
    expect(of(await alice.call('PUT', path, { body: { room_id: roomId } }))).toEqual([409, 'M_UNKNOWN'])
    expect(of(await bob.call('DELETE', path))).toEqual([403, 'M_FORBIDDEN'])
    expect((await bob.ok('GET', inRoom(roomId, 'aliases'))).aliases).toEqual([alias])
    expect(of(await put(alice, roomId, 'm.room.canonical_alias', { alias }))).toBe(200)
    expect(of(await alice.call('DELETE', path))).toBe(200)
    expect(of(await alice.call('DELETE', path))).toEqual([404, 'M_NOT_FOUND'])
    expect(await alice.ok('GET', inRoom(roomId, 'state/m.room.canonical_alias'))).toEqual({})
    for (const bad of ['#alias:elsewhere.org', 'noalias', '#no-server'])
      expect(
        (await alice.call('PUT', v3(`/directory/room/${enc(bad)}`), { body: { room_id: roomId } })).status,
      ).toBe(400)
  })

  it('in m.room.canonical_alias must point to the room', async () => {
    const roomId = await createRoom(alice, { room_alias_name: 'canonical' })
    const other = await createRoom(alice, { room_alias_name: 'of-another' })
    expect(other).not.toBe(roomId)
    const set = (body: object): Promise<Answer> => put(alice, roomId, 'm.room.canonical_alias', body)
    const own = '#canonical:localhost'
    expect(of(await set({ alias: '#nowhere:localhost' }))).toEqual([400, 'M_BAD_ALIAS'])
    expect(of(await set({ alias: '#of-another:localhost' }))).toEqual([400, 'M_BAD_ALIAS'])
    expect(of(await set({ alias: own, alt_aliases: ['#of-another:localhost'] }))).toEqual([
      400,
      'M_BAD_ALIAS',
    ])
    expect(of(await set({ alias: 'nonsense' }))).toEqual([400, 'M_INVALID_PARAM'])
    expect(of(await set({ alias: 5 }))).toEqual([400, 'M_INVALID_PARAM'])
    expect(of(await set({ alt_aliases: own }))).toEqual([400, 'M_INVALID_PARAM'])
    expect(of(await set({ alt_aliases: [own] }))).toBe(200)
    // What stands there already is not asked about again.
    await alice.ok('DELETE', v3(`/directory/room/${enc('#of-another:localhost')}`))
    expect(of(await set({ alias: own, alt_aliases: [own] }))).toBe(200)
    expect(of(await set({}))).toBe(200)
  })
})

describe('the directory', () => {
  it('lists published rooms: searched, by type, in pages', async () => {
    const word = `word${Date.now()}`
    const rooms: string[] = []
    for (let i = 0; i < 3; i++) {
      rooms.push(await createRoom(alice, { visibility: 'public', name: `${word} ${i}`, topic: 'Topic' }))
    }
    const space = await createRoom(alice, {
      visibility: 'public',
      name: `${word} space`,
      creation_content: { type: 'm.space' },
    })
    await bob.ok('POST', v3(`/join/${enc(rooms[1]!)}`))
    const search = (
      body: object,
    ): Promise<{
      chunk: Record<string, unknown>[]
      next_batch?: string
      prev_batch?: string
      total_room_count_estimate: number
    }> => carol.ok('POST', v3('/publicRooms'), body)
    const term = { generic_search_term: word.toUpperCase() }
    const all = await search({ filter: term })
    expect(all.chunk).toHaveLength(4)
    expect(all.chunk[0]).toEqual({
      room_id: rooms[1],
      name: `${word} 1`,
      topic: 'Topic',
      num_joined_members: 2,
      join_rule: 'public',
      world_readable: false,
      guest_can_join: false,
    })
    expect(
      (await search({ filter: { ...term, room_types: ['m.space'] } })).chunk.map((room) => room['room_id']),
    ).toEqual([space])
    expect((await search({ filter: { ...term, room_types: [null] } })).chunk).toHaveLength(3)
    const first = await search({ filter: term, limit: 3 })
    const second = await search({ filter: term, limit: 3, since: first.next_batch! })
    expect(new Set([...first.chunk, ...second.chunk].map((room) => room['room_id'])).size).toBe(4)
    expect(second.next_batch).toBeUndefined()
    expect(second.prev_batch).toBeDefined()
    const bad = await carol.call('POST', v3('/publicRooms'), { body: { since: 'x' } })
    expect(of(bad)).toEqual([400, 'M_INVALID_PARAM'])
    const list = v3(`/directory/list/room/${enc(rooms[0]!)}`)
    expect(of(await bob.call('PUT', list, { body: { visibility: 'private' } }))).toEqual([403, 'M_FORBIDDEN'])
    await alice.ok('PUT', list, { visibility: 'private' })
    expect(await bob.ok('GET', list)).toEqual({ visibility: 'private' })
    expect((await search({ filter: term })).chunk).toHaveLength(3)
    await alice.ok('PUT', inRoom(rooms[1]!, 'state/m.room.name'), { name: `${word} renamed` })
    expect((await search({ filter: { generic_search_term: 'renamed' } })).chunk).toHaveLength(1)
  })

  it('finds people in shared and public rooms by name and id, and no others', async () => {
    const erin = await register(node.url, 'erin')
    const hidden = await register(node.url, 'hidden')
    await erin.ok('PUT', v3(`/profile/${enc(erin.userId)}/displayname`), { displayname: 'Érin 100%_Doe' })
    await createRoom(hidden)
    const roomId = await createRoom(erin)
    await erin.ok('POST', inRoom(roomId, 'invite'), { user_id: carol.userId })
    await carol.ok('POST', v3(`/join/${enc(roomId)}`))
    const search = async (term: string, limit?: number): Promise<unknown> =>
      carol.ok('POST', v3('/user_directory/search'), {
        search_term: term,
        ...(limit === undefined ? {} : { limit }),
      })
    const found = { results: [{ user_id: erin.userId, display_name: 'Érin 100%_Doe' }], limited: false }
    for (const term of ['érin', '100%_d', 'erin-', erin.userId]) expect(await search(term)).toEqual(found)
    expect(await search('hidden')).toEqual({ results: [], limited: false })
    expect(await search('membership')).toEqual({ results: [], limited: false })
    expect(((await search('', 1)) as { results: unknown[] }).results.length).toBeLessThanOrEqual(1)
    expect((await carol.call('POST', v3('/user_directory/search'), { body: {} })).body.errcode).toBe(
      'M_MISSING_PARAM',
    )
  })
})
