import { expect } from '@jest/globals'
import { type Answer, type User } from '../harness/client.js'
import { expectAsAlone, type GivenEvent } from '../harness/events.js'
import type { Homeserver } from '../harness/homeserver.js'
import { createRoom, enc, inRoom, refusal, section, sendText, sharedRoom, v3 } from '../harness/section.js'

const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const LIST = { ranges: [[0, 9]], timeline_limit: 2, required_state: [['m.room.name', '']] }

/** Holds the events of a room, which do not say which room they are of, to what is given of each alone. */
const expectShown = (
  server: Homeserver,
  user: User,
  roomId: string,
  room: { readonly required_state: readonly GivenEvent[]; readonly timeline: readonly GivenEvent[] },
): Promise<void> =>
  expectAsAlone(
    server,
    user,
    roomId,
    [...room.required_state, ...room.timeline].map((event) => ({ room_id: roomId, ...event })),
  )

// Not in the specification: a proposal, MSC4186, that clients rely on.
section('Sliding sync', 'client-server-api/#syncing', (operation) => {
  operation('slidingSync', `POST ${PATH}`, ({ success, error, authorisation }) => {
    const ask = (user: User, body: object, query: Record<string, string> = {}): Promise<Answer> =>
      user.call('POST', PATH, { body, query })

    success('gives the rooms of a list once, and then what is new', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await sharedRoom(alice, [bob], { name: 'N' })
      const { body: first } = await ask(bob, { conn_id: 'a', lists: { all: LIST } })
      expect(first.lists).toEqual({ all: { count: 1 } })
      const room = first.rooms[roomId]
      expect(room).toMatchObject({
        initial: true,
        name: 'N',
        joined_count: 2,
        invited_count: 0,
        bump_stamp: expect.any(Number),
        limited: true,
        prev_batch: expect.any(String),
      })
      expect(first.extensions).toEqual({})
      await expectShown(server, bob, roomId, room)
      const eventId = await sendText(alice, roomId, 'news')
      const { body: second } = await ask(bob, { conn_id: 'a', lists: { all: LIST } }, { pos: first.pos })
      expect(second.rooms[roomId].timeline).toMatchObject([{ event_id: eventId, sender: alice.userId }])
      await expectShown(server, bob, roomId, second.rooms[roomId])
      expect(second.rooms[roomId]).toMatchObject({ notification_count: 1, highlight_count: 0, num_live: 1 })
    })
    success('takes the form that the proposal has now', async (server) => {
      const alice = await server.user('alice')
      const roomId = await sharedRoom(alice, [], { name: 'N', topic: 'T' })
      const list = {
        range: [0, 9],
        timeline_limit: 1,
        required_state: { include: [{}], exclude: [{ type: 'm.room.topic' }], lazy_members: true },
        filters: { is_invited: false },
      }
      const { body: first } = await ask(alice, { conn_id: 'b', lists: { all: list }, timeout: 0 })
      const types = first.rooms[roomId].required_state.map((event: { type: string }) => event.type)
      expect(types).toContain('m.room.create')
      expect(types).toContain('m.room.member')
      expect(types).not.toContain('m.room.topic')
      await expectShown(server, alice, roomId, first.rooms[roomId])
      expect(first.rooms[roomId]).toMatchObject({ membership: 'join', lists: ['all'] })
      const { body: second } = await ask(alice, { conn_id: 'b', lists: { all: list }, pos: first.pos })
      expect(second.rooms).toEqual({})
    })
    success('gives a room without a name the people that it is called by', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const carol = await server.user('carol')
      const avatar_url = `mxc://${server.serverName}/picture`
      await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/displayname`), { displayname: 'Bob the Second' })
      await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/avatar_url`), { avatar_url })
      const roomId = await sharedRoom(alice, [bob])
      await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: carol.userId })
      const { body } = await ask(alice, { conn_id: 'heroes', lists: { all: LIST } })
      expect(body.rooms[roomId]).toMatchObject({ joined_count: 2, invited_count: 1 })
      expect(body.rooms[roomId]).not.toHaveProperty('name')
      await expectShown(server, alice, roomId, body.rooms[roomId])
      expect(
        new Map(body.rooms[roomId].heroes.map((hero: { user_id: string }) => [hero.user_id, hero])),
      ).toEqual(
        new Map([
          [bob.userId, { user_id: bob.userId, displayname: 'Bob the Second', avatar_url }],
          [carol.userId, { user_id: carol.userId, displayname: expect.any(String) }],
        ]),
      )
    })
    success('gives invitations by what may be known before one joins, and rooms for two', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await createRoom(alice, {
        name: 'Two',
        preset: 'private_chat',
        is_direct: true,
        invite: [bob.userId],
      })
      await bob.ok('PUT', v3(`/user/${enc(bob.userId)}/account_data/m.direct`), { [alice.userId]: [roomId] })
      const list = { ...LIST, filters: { is_invite: true } }
      const { body } = await ask(bob, { conn_id: 'invites', lists: { invites: list } })
      expect(body.lists).toEqual({ invites: { count: 1 } })
      const { invite_state: state, ...room } = body.rooms[roomId]
      expect(room).toEqual({
        initial: true,
        membership: 'invite',
        is_dm: true,
        lists: ['invites'],
        bump_stamp: expect.any(Number),
        stripped_state: state,
      })
      expect(state).toContainEqual(
        expect.objectContaining({ type: 'm.room.name', state_key: '', content: { name: 'Two' } }),
      )
      expect(state).toContainEqual(
        expect.objectContaining({
          type: 'm.room.member',
          state_key: bob.userId,
          sender: alice.userId,
          content: expect.objectContaining({ membership: 'invite' }),
        }),
      )
    })
    success('gives by extensions what is not of rooms, and what passes in them', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await sharedRoom(alice, [bob], { name: 'N' })
      const ofUser = (rest: string): string => v3(`/user/${enc(bob.userId)}${rest}`)
      await bob.ok('PUT', ofUser('/account_data/org.example.all'), { n: 51 })
      await bob.ok('PUT', ofUser(`/rooms/${enc(roomId)}/account_data/org.example.one`), { n: 52 })
      await alice.ok('PUT', v3('/sendToDevice/org.example.type/sliding'), {
        messages: { [bob.userId]: { [bob.deviceId]: { n: 53 } } },
      })
      const key = {
        key: 'F'.repeat(43),
        signatures: { [bob.userId]: { [`ed25519:${bob.deviceId}`]: 'S'.repeat(43) } },
      }
      await bob.ok('POST', v3('/keys/upload'), {
        one_time_keys: { 'signed_curve25519:A': key },
        fallback_keys: { 'signed_curve25519:F': { ...key, fallback: true } },
      })
      const read = await sendText(alice, roomId, 'read this')
      const enabled = { enabled: true }
      const extensions = {
        account_data: enabled,
        receipts: enabled,
        typing: enabled,
        to_device: enabled,
        e2ee: enabled,
      }
      const wish = { conn_id: 'extensions', lists: { all: LIST }, extensions }
      const { body: first } = await ask(bob, wish)
      await expectShown(server, bob, roomId, first.rooms[roomId])
      const { account_data: data, to_device: messages, e2ee, ...rest } = first.extensions
      expect(data.global).toContainEqual({ type: 'org.example.all', content: { n: 51 } })
      expect(data.rooms).toEqual({ [roomId]: [{ type: 'org.example.one', content: { n: 52 } }] })
      expect(messages).toEqual({
        next_batch: expect.any(String),
        events: [{ type: 'org.example.type', sender: alice.userId, content: { n: 53 } }],
      })
      expect(e2ee).toMatchObject({
        device_one_time_keys_count: { signed_curve25519: 1 },
        device_unused_fallback_key_types: ['signed_curve25519'],
      })
      expect(rest).toEqual({ receipts: { rooms: {} }, typing: { rooms: {} } })

      await bob.ok('POST', inRoom(roomId, `receipt/m.read/${enc(read)}`))
      await alice.ok('PUT', inRoom(roomId, `typing/${enc(alice.userId)}`), { typing: true, timeout: 60_000 })
      const device_keys = {
        user_id: alice.userId,
        device_id: alice.deviceId,
        algorithms: ['m.megolm.v1.aes-sha2'],
        keys: { [`ed25519:${alice.deviceId}`]: 'K'.repeat(43) },
        signatures: { [alice.userId]: { [`ed25519:${alice.deviceId}`]: 'S'.repeat(43) } },
      }
      await alice.ok('POST', v3('/keys/upload'), { device_keys })
      const { body: second } = await ask(bob, wish, { pos: first.pos })
      expect(second.extensions).toMatchObject({
        typing: {
          rooms: { [roomId]: { type: 'm.typing', content: { user_ids: [alice.userId] } } },
        },
        receipts: {
          rooms: {
            [roomId]: {
              type: 'm.receipt',
              content: { [read]: { 'm.read': { [bob.userId]: { ts: expect.any(Number) } } } },
            },
          },
        },
        e2ee: { device_lists: { changed: [alice.userId], left: [] } },
      })
      expect(second.rooms[roomId]).toMatchObject({ notification_count: 0, timeline: [] })
    })
    error('refuses what is no request', async (server) => {
      const alice = await server.user('alice')
      const many = (count: number, value: object): object =>
        Object.fromEntries(Array.from({ length: count }, (_, i) => [`!${i}:x`, value]))
      await refusal(ask(alice, { lists: { all: { ...LIST, ranges: [[9, 0]] } } }), 400, 'M_INVALID_PARAM')
      await refusal(ask(alice, { lists: { all: { ...LIST, ranges: [[0]] } } }), 400, 'M_BAD_JSON')
      await refusal(ask(alice, { lists: many(101, LIST) }), 400, 'M_INVALID_PARAM')
      await refusal(
        ask(alice, { room_subscriptions: many(101, { timeline_limit: 1 }) }),
        400,
        'M_INVALID_PARAM',
      )
      await refusal(ask(alice, { conn_id: 5 }), 400, 'M_BAD_JSON')
      await refusal(ask(alice, {}, { timeout: '-1' }), 400, 'M_INVALID_PARAM')
      // As wide as it likes: there are only so many rooms.
      const wide = await ask(alice, { lists: { all: { ...LIST, ranges: [[0, 1_000_000_000]] } } })
      expect(wide.status).toBe(200)
    })
    authorisation('refuses positions of others, of other connections and of nobody', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      await sharedRoom(alice, [])
      const { body: first } = await ask(alice, { conn_id: 'a', lists: { all: LIST } })
      const strange = (user: User, connId: string, pos: string): Promise<unknown> =>
        refusal(ask(user, { conn_id: connId, lists: { all: LIST } }, { pos }), 400, 'M_UNKNOWN_POS')
      await strange(bob, 'a', first.pos)
      await strange(alice, 'b', first.pos)
      await strange(alice, 'a', 'p1_1_1_1')
      await strange(alice, 'a', 'nonsense')
    })
  })
})
