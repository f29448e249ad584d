import { expect } from '@jest/globals'
import { call, type Answer, type User } from '../harness/client.js'
import { expectAsAlone } from '../harness/events.js'
import { createRoom, enc, inRoom, refusal, section, sendText, sharedRoom, v3 } from '../harness/section.js'

section('Reporting content', 'client-server-api/#reporting-content', (operation) => {
  operation(
    'reportEvent',
    'POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}',
    ({ success, error }) => {
      success('takes a report of an event', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const path = inRoom(roomId, `report/${enc(await sendText(alice, roomId, 'rude'))}`)
        expect(await bob.ok('POST', path, { reason: 'rude', score: -100 })).toEqual({})
      })
      error('refuses a reason that is none', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const path = inRoom(roomId, `report/${enc(await sendText(alice, roomId, 'x'))}`)
        await refusal(alice.call('POST', path, { body: { reason: 7 } }), 400, 'M_BAD_JSON', 'M_INVALID_PARAM')
      })
    },
  )
  operation('reportRoom', 'POST /_matrix/client/v3/rooms/{roomId}/report', ({ success, error }) => {
    success('takes a report of a room', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      expect(await bob.ok('POST', inRoom(await sharedRoom(alice), 'report'), { reason: 'spam' })).toEqual({})
    })
    error('refuses a reason that is none', async (server) => {
      const alice = await server.user('alice')
      await refusal(
        alice.call('POST', inRoom(await createRoom(alice), 'report'), { body: { reason: 7 } }),
        400,
        'M_BAD_JSON',
        'M_INVALID_PARAM',
      )
    })
  })
  operation('reportUser', 'POST /_matrix/client/v3/users/{userId}/report', ({ success, error }) => {
    const path = (userId: string): string => v3(`/users/${enc(userId)}/report`)
    success('takes a report of a user', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      expect(await bob.ok('POST', path(alice.userId), { reason: 'spam' })).toEqual({})
    })
    error('refuses a reason that is none', async (server) => {
      const alice = await server.user('alice')
      await refusal(
        alice.call('POST', path(alice.userId), { body: { reason: 7 } }),
        400,
        'M_BAD_JSON',
        'M_INVALID_PARAM',
      )
    })
  })
})

section('OpenID and rooms in common', 'client-server-api/#openid', (operation) => {
  operation(
    'requestOpenIdToken',
    'POST /_matrix/client/v3/user/{userId}/openid/request_token',
    ({ success, authorisation }) => {
      const path = (user: User): string => v3(`/user/${enc(user.userId)}/openid/request_token`)
      success('gives a token that proves who one is', async (server) => {
        const alice = await server.user('alice')
        const given = await alice.ok('POST', path(alice))
        expect(given).toMatchObject({ token_type: 'Bearer', matrix_server_name: server.serverName })
        expect(given.expires_in).toBeGreaterThan(0)
        const query = { access_token: given.access_token }
        const proof = await call(server.url, 'GET', '/_matrix/federation/v1/openid/userinfo', { query })
        // Some servers keep their federation API on another address.
        if (proof.status === 200 || server.own) expect(proof.body).toEqual({ sub: alice.userId })
      })
      authorisation('is for oneself', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('POST', path(alice), { body: {} }), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation(
    'getMutualRooms',
    'GET /_matrix/client/v1/mutual_rooms',
    ({ success, error }) => {
      const path = '/_matrix/client/v1/mutual_rooms'
      success('lists the rooms that both are in', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const both = await sharedRoom(alice, [bob])
        await createRoom(alice)
        await createRoom(alice, { invite: [bob.userId] })
        expect(await alice.ok('GET', path, undefined, { user_id: bob.userId })).toMatchObject({
          joined: [both],
          count: 1,
        })
      })
      error('wants another user', async (server) => {
        const alice = await server.user('alice')
        await refusal(alice.call('GET', path), 400, 'M_MISSING_PARAM')
        await refusal(alice.call('GET', path, { query: { user_id: alice.userId } }), 400, 'M_INVALID_PARAM')
      })
    },
    { sample: { query: { user_id: '@user:example.org' } } },
  )
})

section('Older ways to read', 'client-server-api/#room-previews', (operation) => {
  operation('initialSync', 'GET /_matrix/client/v3/initialSync', ({ success }) => {
    success('gives the rooms with their last messages', async (server) => {
      const alice = await server.user('alice')
      const roomId = await createRoom(alice)
      const eventId = await sendText(alice, roomId, 'last')
      await alice.ok('PUT', v3(`/user/${enc(alice.userId)}/account_data/org.example.all`), { n: 1 })
      const ofRoom = v3(`/user/${enc(alice.userId)}/rooms/${enc(roomId)}/account_data/org.example.one`)
      await alice.ok('PUT', ofRoom, { n: 2 })
      const all = await alice.ok('GET', v3('/initialSync'), undefined, { limit: 1 })
      const { rooms, end } = all
      expect(rooms).toMatchObject([
        { room_id: roomId, membership: 'join', messages: { chunk: [{ event_id: eventId }] } },
      ])
      expect(typeof end).toBe('string')
      expect(all.account_data).toContainEqual({ type: 'org.example.all', content: { n: 1 } })
      const [room] = rooms
      expect(room.account_data).toContainEqual({ type: 'org.example.one', content: { n: 2 } })
      if (server.own || 'visibility' in room) expect(room.visibility).toBe('private')
      await expectAsAlone(server, alice, roomId, [...room.messages.chunk, ...room.state])
      expect(room.state).toHaveLength((await alice.ok('GET', inRoom(roomId, 'state'))).length)
      const query = { dir: 'b', from: room.messages.start, limit: 100 }
      const older = await alice.ok('GET', inRoom(roomId, 'messages'), undefined, query)
      expect(JSON.stringify(older.chunk)).not.toContain(eventId)
      expect(older.chunk.at(-1).type).toBe('m.room.create')
    })
  })
  operation(
    'roomInitialSync',
    'GET /_matrix/client/v3/rooms/{roomId}/initialSync',
    ({ success, authorisation }) => {
      success('gives a room with its state and last messages', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice, { name: 'N' })
        const eventId = await sendText(alice, roomId, 'last')
        const note = { type: 'org.example.note', content: { n: 41 } }
        const place = `/user/${enc(alice.userId)}/rooms/${enc(roomId)}/account_data/${note.type}`
        await alice.ok('PUT', v3(place), note.content)
        const room = await alice.ok('GET', inRoom(roomId, 'initialSync'))
        expect(room).toMatchObject({ room_id: roomId, membership: 'join' })
        expect(room.account_data).toContainEqual(note)
        if (server.own || 'visibility' in room) expect(room.visibility).toBe('private')
        expect(room.messages.chunk.at(-1).event_id).toBe(eventId)
        await expectAsAlone(server, alice, roomId, [...room.messages.chunk, ...room.state])
        expect(room.state).toContainEqual(
          expect.objectContaining({ type: 'm.room.name', content: { name: 'N' } }),
        )
      })
      authorisation('is for those who may see the room', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('GET', inRoom(await createRoom(alice), 'initialSync')), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation('getEvents', 'GET /_matrix/client/v3/events', ({ success, error }) => {
    success('gives what is new since a token', async (server) => {
      const alice = await server.user('alice')
      const roomId = await createRoom(alice)
      const { end } = await alice.ok('GET', v3('/initialSync'))
      const eventId = await sendText(alice, roomId, 'new')
      const first = await alice.ok('GET', v3('/events'), undefined, { from: end, timeout: 1_000 })
      expect(first.start).toBe(end)
      const given = first.chunk.filter((event: { event_id: string }) => event.event_id === eventId)
      await expectAsAlone(server, alice, roomId, given)
      const later = await sendText(alice, roomId, 'later')
      const second = await alice.ok('GET', v3('/events'), undefined, { from: first.end, timeout: 1_000 })
      const ids = second.chunk.map((event: { event_id: string }) => event.event_id)
      expect([ids.includes(eventId), ids.includes(later)]).toEqual([false, true])
    })
    error('refuses tokens that are none', async (server) => {
      await refusal(
        (await server.user()).call('GET', v3('/events'), { query: { from: 'x' } }),
        400,
        'M_INVALID_PARAM',
        'M_UNKNOWN',
      )
    })
  })
  operation('peekEvents', 'GET /_matrix/client/v3/events', ({ success, authorisation }) => {
    const peek = (user: User, roomId: string, from: string): Promise<Answer> =>
      user.call('GET', v3('/events'), { query: { from, timeout: 1_000, room_id: roomId } })
    const now = async (user: User): Promise<string> => (await user.ok('GET', v3('/initialSync'))).end
    success('gives what is new in a room that everybody may look into', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const initial_state = [
        {
          type: 'm.room.history_visibility',
          state_key: '',
          content: { history_visibility: 'world_readable' },
        },
      ]
      const [roomId, other] = [
        await createRoom(alice, { initial_state }),
        await createRoom(alice, { initial_state }),
      ]
      const from = await now(bob)
      await sendText(alice, other, 'elsewhere')
      const eventId = await sendText(alice, roomId, 'here')
      const first = await peek(bob, roomId, from)
      expect([first.status, first.body.start]).toEqual([200, from])
      const given = first.body.chunk.filter(({ type }: { type: string }) => type === 'm.room.message')
      expect(given).toMatchObject([
        {
          event_id: eventId,
          room_id: roomId,
          sender: alice.userId,
          origin_server_ts: expect.any(Number),
          content: { msgtype: 'm.text', body: 'here' },
        },
      ])
      const later = await sendText(alice, roomId, 'later')
      const second = await peek(bob, roomId, first.body.end)
      const ids = second.body.chunk.map((event: { event_id: string }) => event.event_id)
      expect([ids.includes(eventId), ids.includes(later)]).toEqual([false, true])
    })
    authorisation('is for rooms that the user may look into', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await createRoom(alice)
      const from = await now(bob)
      await sendText(alice, roomId, 'secret')
      await refusal(peek(bob, roomId, from), 403, 'M_FORBIDDEN')
    })
  })
  operation('getOneEvent', 'GET /_matrix/client/v3/events/{eventId}', ({ success, error }) => {
    success('gives an event by its id', async (server) => {
      const alice = await server.user('alice')
      const roomId = await createRoom(alice)
      const eventId = await sendText(alice, roomId, 'this')
      const event = await alice.ok('GET', v3(`/events/${enc(eventId)}`))
      expect(event).toMatchObject({ event_id: eventId, room_id: roomId, content: { body: 'this' } })
      await expectAsAlone(server, alice, roomId, [event])
    })
    error('knows no unknown event, and none of rooms that one may not see', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const eventId = await sendText(alice, await createRoom(alice), 'x')
      await refusal(bob.call('GET', v3(`/events/${enc(eventId)}`)), 404, 'M_NOT_FOUND')
      await refusal(bob.call('GET', v3(`/events/${enc('$none')}`)), 404, 'M_NOT_FOUND')
    })
  })
  operation(
    'getEventByTimestamp',
    'GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
    ({ success, error, authorisation }) => {
      const path = (roomId: string): string => `/_matrix/client/v1/rooms/${enc(roomId)}/timestamp_to_event`
      success('finds the event next to a moment, before or after it', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const at = async (text: string): Promise<{ event_id: string; origin_server_ts: number }> => {
          await new Promise((resolve) => setTimeout(resolve, 10))
          return alice.ok('GET', inRoom(roomId, `event/${enc(await sendText(alice, roomId, text))}`))
        }
        const [one, two] = [await at('one'), await at('two')]
        const find = (ts: number, dir: string): Promise<unknown> =>
          alice.ok('GET', path(roomId), undefined, { ts, dir })
        const pair = (event: typeof one): object => ({
          event_id: event.event_id,
          origin_server_ts: event.origin_server_ts,
        })
        expect(await find(one.origin_server_ts + 1, 'f')).toEqual(pair(two))
        expect(await find(two.origin_server_ts - 1, 'b')).toEqual(pair(one))
      })
      error('finds nothing after the last event', async (server) => {
        const alice = await server.user('alice')
        const query = { ts: Date.now() + 1_000_000, dir: 'f' }
        await refusal(alice.call('GET', path(await createRoom(alice)), { query }), 404, 'M_NOT_FOUND')
      })
      authorisation('is for members', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const { status: code, body } = await bob.call('GET', path(await createRoom(alice)), {
          query: { ts: 1, dir: 'f' },
        })
        expect(['403 M_FORBIDDEN', '404 M_NOT_FOUND']).toContain(`${code} ${body.errcode}`)
      })
    },
  )
})
