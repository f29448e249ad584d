import { expect } from '@jest/globals'
import { sendText, type Answer, type User } from '../harness/client.js'
import { expectAsAlone, type GivenEvent } from '../harness/events.js'
import { refusal, section, sharedRoom } from '../harness/section.js'

const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const LIST = { ranges: [[0, 9]], timeline_limit: 2, required_state: [['m.room.name', '']] }

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
      const events: GivenEvent[] = [...room.required_state, ...room.timeline]
      const withRoom = events.map((event) => ({ room_id: roomId, ...event }))
      await expectAsAlone(server, bob, roomId, withRoom)
      const eventId = await sendText(alice, roomId, 'news')
      const { body: second } = await ask(bob, { conn_id: 'a', lists: { all: LIST } }, { pos: first.pos })
      expect(second.rooms[roomId].timeline).toMatchObject([{ event_id: eventId, sender: alice.userId }])
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
      expect(first.rooms[roomId]).toMatchObject({ membership: 'join', lists: ['all'] })
      const { body: second } = await ask(alice, { conn_id: 'b', lists: { all: list }, pos: first.pos })
      expect(second.rooms).toEqual({})
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
