import { expect } from '@jest/globals'
import { type Answer, type User } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, sharedRoom, v3 } from '../harness/section.js'

let counter = 0
const aliasName = (): string => `alias-${Date.now().toString(36)}-${counter++}`

section('Room membership', 'client-server-api/#room-membership', (operation) => {
  const membership = async (seer: User, roomId: string, user: User): Promise<unknown> =>
    (await seer.call('GET', inRoom(roomId, `state/m.room.member/${enc(user.userId)}`))).body.membership
  const POST = (user: User, roomId: string, what: string, body: object = {}): Promise<Answer> =>
    user.call('POST', inRoom(roomId, what), { body })

  operation(
    'joinRoomById',
    'POST /_matrix/client/v3/rooms/{roomId}/join',
    ({ success, error, authorisation }) => {
      success('lets into public rooms, and those who are invited', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const open = await createRoom(alice, { preset: 'public_chat' })
        const closed = await createRoom(alice, { invite: [bob.userId] })
        for (const roomId of [open, closed]) {
          expect(await bob.ok('POST', inRoom(roomId, 'join'), { reason: 'because' })).toEqual({
            room_id: roomId,
          })
          expect(await membership(alice, roomId, bob)).toBe('join')
        }
        expect((await bob.ok('GET', v3('/joined_rooms'))).joined_rooms.sort()).toEqual([open, closed].sort())
      })
      error('knows no unknown room', async (server) => {
        const bob = await server.user('bob')
        const { status, body } = await POST(bob, `!none:${server.serverName}`, 'join')
        // The definitions have a 403 alone, and it tells strangers nothing; a 404 is what the errcode is for.
        expect([
          [403, 'M_FORBIDDEN'],
          [404, 'M_NOT_FOUND'],
        ]).toContainEqual([status, body.errcode])
      })
      authorisation('lets nobody in who is not invited, or is banned', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(POST(bob, await createRoom(alice), 'join'), 403, 'M_FORBIDDEN')
        const open = await createRoom(alice, { preset: 'public_chat' })
        await alice.ok('POST', inRoom(open, 'ban'), { user_id: bob.userId })
        await refusal(POST(bob, open, 'join'), 403, 'M_FORBIDDEN', 'M_BAD_STATE')
      })
    },
  )
  operation(
    'joinRoom',
    'POST /_matrix/client/v3/join/{roomIdOrAlias}',
    ({ success, error, authorisation }) => {
      success('lets in by id and by alias', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const name = aliasName()
        const first = await createRoom(alice, { preset: 'public_chat', room_alias_name: name })
        const second = await createRoom(alice, { preset: 'public_chat' })
        expect(await bob.ok('POST', v3(`/join/${enc(`#${name}:${server.serverName}`)}`))).toEqual({
          room_id: first,
        })
        expect(await bob.ok('POST', v3(`/join/${enc(second)}`))).toEqual({ room_id: second })
        expect((await bob.ok('GET', v3('/joined_rooms'))).joined_rooms.sort()).toEqual([first, second].sort())
      })
      error('knows no unknown alias', async (server) => {
        const bob = await server.user('bob')
        await refusal(
          bob.call('POST', v3(`/join/${enc(`#none:${server.serverName}`)}`), { body: {} }),
          404,
          'M_NOT_FOUND',
        )
        await refusal(bob.call('POST', v3('/join/nonsense'), { body: {} }), 400, 'M_INVALID_PARAM')
      })
      authorisation('lets nobody in who is not invited', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(
          bob.call('POST', v3(`/join/${enc(await createRoom(alice))}`), { body: {} }),
          403,
          'M_FORBIDDEN',
        )
      })
    },
  )
  operation(
    'knockRoom',
    'POST /_matrix/client/v3/knock/{roomIdOrAlias}',
    ({ success, error, authorisation }) => {
      const knockable = (owner: User): Promise<string> =>
        createRoom(owner, {
          initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
          name: 'Knock here',
        })
      success('asks to be let in, and shows the room’s name meanwhile', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await knockable(alice)
        expect(await bob.ok('POST', v3(`/knock/${enc(roomId)}`), { reason: 'please' })).toEqual({
          room_id: roomId,
        })
        const member = await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(bob.userId)}`))
        expect(member).toMatchObject({ membership: 'knock', reason: 'please' })
        const { rooms } = await bob.ok('GET', v3('/sync'))
        expect(rooms.knock[roomId].knock_state.events).toContainEqual(
          expect.objectContaining({ type: 'm.room.name', content: { name: 'Knock here' } }),
        )
      })
      authorisation('is refused where the room takes none, and for the banned', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(
          bob.call('POST', v3(`/knock/${enc(await createRoom(alice))}`), { body: {} }),
          403,
          'M_FORBIDDEN',
        )
        const roomId = await knockable(alice)
        await alice.ok('POST', inRoom(roomId, 'ban'), { user_id: bob.userId })
        await refusal(
          bob.call('POST', v3(`/knock/${enc(roomId)}`), { body: {} }),
          403,
          'M_FORBIDDEN',
          'M_BAD_STATE',
        )
      })
      error('knows no unknown room', async (server) => {
        const bob = await server.user('bob')
        await refusal(
          bob.call('POST', v3(`/knock/${enc(`#none:${server.serverName}`)}`), { body: {} }),
          404,
          'M_NOT_FOUND',
        )
      })
    },
  )
  operation(
    'inviteUser',
    'POST /_matrix/client/v3/rooms/{roomId}/invite',
    ({ success, error, authorisation }) => {
      success('invites somebody, who is told why', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await createRoom(alice, { name: 'Come in' })
        await alice.ok('POST', inRoom(roomId, 'invite'), { user_id: bob.userId, reason: 'for tea' })
        const { rooms } = await bob.ok('GET', v3('/sync'))
        const events = rooms.invite[roomId].invite_state.events
        expect(events).toContainEqual(
          expect.objectContaining({
            type: 'm.room.member',
            state_key: bob.userId,
            sender: alice.userId,
            content: expect.objectContaining({ membership: 'invite', reason: 'for tea' }),
          }),
        )
        expect(events).toContainEqual(
          expect.objectContaining({ type: 'm.room.name', content: { name: 'Come in' } }),
        )
      })
      error('refuses who is in already, who is banned, and what is no user', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob])
        await alice.ok('POST', inRoom(roomId, 'ban'), { user_id: carol.userId })
        await refusal(
          POST(alice, roomId, 'invite', { user_id: bob.userId }),
          403,
          'M_FORBIDDEN',
          'M_BAD_STATE',
        )
        await refusal(
          POST(alice, roomId, 'invite', { user_id: carol.userId }),
          403,
          'M_FORBIDDEN',
          'M_BAD_STATE',
        )
        await refusal(POST(alice, roomId, 'invite', { user_id: 7 }), 400, 'M_BAD_JSON', 'M_INVALID_PARAM')
      })
      authorisation('is for members, with the level', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob], { power_level_content_override: { invite: 50 } })
        await refusal(POST(bob, roomId, 'invite', { user_id: carol.userId }), 403, 'M_FORBIDDEN')
        await refusal(POST(carol, roomId, 'invite', { user_id: carol.userId }), 403, 'M_FORBIDDEN')
      })
    },
  )
  for (const [id, after] of [
    ['kick', 'leave'],
    ['ban', 'ban'],
  ] as const) {
    operation(id, `POST /_matrix/client/v3/rooms/{roomId}/${id}`, ({ success, error, authorisation }) => {
      success('ends the membership, and says why', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        await alice.ok('POST', inRoom(roomId, id), { user_id: bob.userId, reason: 'noise' })
        const member = await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(bob.userId)}`))
        expect(member).toMatchObject({ membership: after, reason: 'noise' })
        expect((await bob.ok('GET', v3('/joined_rooms'))).joined_rooms).toEqual([])
        const again = await bob.call('POST', inRoom(roomId, 'join'), { body: {} })
        expect(again.status).toBe(id === 'kick' ? 200 : 403)
      })
      error('wants a user', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(POST(alice, roomId, id), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
      })
      authorisation('is for members, with the level', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob])
        await refusal(POST(bob, roomId, id, { user_id: alice.userId }), 403, 'M_FORBIDDEN')
        await refusal(POST(carol, roomId, id, { user_id: bob.userId }), 403, 'M_FORBIDDEN')
        expect(await membership(alice, roomId, bob)).toBe('join')
      })
    })
  }
  operation('unban', 'POST /_matrix/client/v3/rooms/{roomId}/unban', ({ success, error, authorisation }) => {
    success('lets the banned come again', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await sharedRoom(alice, [bob])
      await alice.ok('POST', inRoom(roomId, 'ban'), { user_id: bob.userId })
      await alice.ok('POST', inRoom(roomId, 'unban'), { user_id: bob.userId })
      expect(await membership(alice, roomId, bob)).toBe('leave')
      await bob.ok('POST', inRoom(roomId, 'join'))
    })
    error('refuses who is not banned', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await sharedRoom(alice, [bob])
      await refusal(POST(alice, roomId, 'unban', { user_id: bob.userId }), 403, 'M_FORBIDDEN', 'M_BAD_STATE')
    })
    authorisation('is for those with the level', async (server) => {
      const [alice, bob, carol] = [
        await server.user('alice'),
        await server.user('bob'),
        await server.user('carol'),
      ]
      const roomId = await sharedRoom(alice, [bob, carol])
      await alice.ok('POST', inRoom(roomId, 'ban'), { user_id: carol.userId })
      await refusal(POST(bob, roomId, 'unban', { user_id: carol.userId }), 403, 'M_FORBIDDEN')
      expect(await membership(alice, roomId, carol)).toBe('ban')
    })
  })
  operation('leaveRoom', 'POST /_matrix/client/v3/rooms/{roomId}/leave', ({ success, authorisation }) => {
    success('leaves a room and turns down an invitation', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const joined = await sharedRoom(alice, [bob])
      const invited = await createRoom(alice, { invite: [bob.userId] })
      for (const roomId of [joined, invited]) {
        await bob.ok('POST', inRoom(roomId, 'leave'), { reason: 'bye' })
        const member = await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(bob.userId)}`))
        expect(member).toMatchObject({ membership: 'leave', reason: 'bye' })
      }
      expect((await bob.ok('GET', v3('/joined_rooms'))).joined_rooms).toEqual([])
    })
    authorisation('is nothing for those who are not there', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const answer = await POST(bob, await createRoom(alice), 'leave')
      expect([answer.status, answer.body.errcode]).toEqual([
        expect.any(Number),
        expect.stringMatching(/^M_(FORBIDDEN|NOT_FOUND)$/),
      ])
    })
  })
  operation('forgetRoom', 'POST /_matrix/client/v3/rooms/{roomId}/forget', ({ success, error }) => {
    success('forgets a room that one left', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await sharedRoom(alice, [bob])
      await bob.ok('POST', inRoom(roomId, 'leave'))
      const filter = JSON.stringify({ room: { include_leave: true } })
      const left = async (): Promise<string[]> =>
        Object.keys((await bob.ok('GET', v3('/sync'), undefined, { filter })).rooms?.leave ?? {})
      expect(await left()).toEqual([roomId])
      await bob.ok('POST', inRoom(roomId, 'forget'))
      expect(await left()).toEqual([])
      await refusal(bob.call('GET', inRoom(roomId, 'messages'), { query: { dir: 'b' } }), 403, 'M_FORBIDDEN')
    })
    error('refuses rooms that one is in', async (server) => {
      const alice = await server.user('alice')
      await refusal(POST(alice, await createRoom(alice), 'forget'), 400, 'M_UNKNOWN')
    })
  })
  operation('getJoinedRooms', 'GET /_matrix/client/v3/joined_rooms', ({ success }) => {
    success('lists the rooms that one is in', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      expect(await bob.ok('GET', v3('/joined_rooms'))).toEqual({ joined_rooms: [] })
      const roomId = await sharedRoom(alice, [bob])
      await createRoom(alice, { invite: [bob.userId] })
      expect(await bob.ok('GET', v3('/joined_rooms'))).toEqual({ joined_rooms: [roomId] })
    })
  })
})
