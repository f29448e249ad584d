import { expect } from '@jest/globals'
import { type Answer, type User } from '../harness/client.js'
import { expectAsAlone, type GivenEvent } from '../harness/events.js'
import { createRoom, enc, inRoom, refusal, section, sendText, sharedRoom, v3 } from '../harness/section.js'

section('Room events', 'client-server-api/#events', (operation) => {
  operation(
    'sendMessage',
    'PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}',
    ({ success, error, authorisation }) => {
      const send = (
        user: User,
        roomId: string,
        txn: string,
        body: unknown = { msgtype: 'm.text', body: 'x' },
      ): Promise<Answer> => user.call('PUT', inRoom(roomId, `send/m.room.message/${txn}`), { body })
      success('sends an event that members get, once for each transaction id', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const first = (await send(alice, roomId, 't1')).body.event_id
        expect((await send(alice, roomId, 't1')).body.event_id).toBe(first)
        const second = (await send(alice, roomId, 't2')).body.event_id
        expect(second).not.toBe(first)
        const event = await bob.ok('GET', inRoom(roomId, `event/${enc(first)}`))
        expect(event).toMatchObject({
          event_id: first,
          sender: alice.userId,
          type: 'm.room.message',
          room_id: roomId,
          content: { msgtype: 'm.text', body: 'x' },
        })
        const { chunk } = await bob.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', limit: 2 })
        expect(chunk.map((one: { event_id: string }) => one.event_id)).toEqual([second, first])
      })
      error('refuses what is no object, and what is too large', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(send(alice, roomId, 't', '[]'), 400, 'M_BAD_JSON', 'M_NOT_JSON')
        await refusal(
          send(alice, roomId, 't', { msgtype: 'm.text', body: 'x'.repeat(70_000) }),
          413,
          'M_TOO_LARGE',
        )
      })
      authorisation('is for members, with the level', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob], {
          power_level_content_override: { events_default: 50 },
        })
        await refusal(send(bob, roomId, 't'), 403, 'M_FORBIDDEN')
        await refusal(send(carol, roomId, 't'), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation(
    'setRoomStateWithKey',
    'PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
    ({ success, error, authorisation }) => {
      success('sets state under a key, and under the empty one', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const { event_id: id } = await alice.ok('PUT', inRoom(roomId, 'state/org.example.s/key'), { v: 1 })
        await alice.ok('PUT', inRoom(roomId, 'state/org.example.s/'), { v: 2 })
        expect(await bob.ok('GET', inRoom(roomId, 'state/org.example.s/key'))).toEqual({ v: 1 })
        expect(await bob.ok('GET', inRoom(roomId, 'state/org.example.s'))).toEqual({ v: 2 })
        expect(await bob.ok('GET', inRoom(roomId, `event/${enc(id)}`))).toMatchObject({
          state_key: 'key',
          content: { v: 1 },
        })
      })
      error('refuses what is no object', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(
          alice.call('PUT', inRoom(roomId, 'state/org.example.s/k'), { body: '7' }),
          400,
          'M_BAD_JSON',
          'M_NOT_JSON',
        )
      })
      error('refuses power levels that are none', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const levels = inRoom(roomId, 'state/m.room.power_levels/')
        const before = await alice.ok('GET', levels)
        for (const wrong of [
          { users: { [bob.userId]: 'x' } },
          { users: { bob: 50 } },
          { ban: 'x' },
          { events: [] },
        ]) {
          const body = { ...before, ...wrong }
          await refusal(alice.call('PUT', levels, { body }), 400, 'M_BAD_JSON')
          // A server may look at the body before it looks at who sends it.
          if (server.own) await refusal(bob.call('PUT', levels, { body }), 403, 'M_FORBIDDEN')
        }
        expect(await alice.ok('GET', levels)).toEqual(before)
      })
      authorisation('is for members, with the level, and not under names of others', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob])
        const put = (user: User, rest: string): Promise<Answer> =>
          user.call('PUT', inRoom(roomId, `state/${rest}`), { body: { name: 'x' } })
        await refusal(put(bob, 'm.room.name/'), 403, 'M_FORBIDDEN')
        await refusal(put(carol, 'org.example.s/k'), 403, 'M_FORBIDDEN')
        await refusal(put(alice, `org.example.s/${enc(bob.userId)}`), 403, 'M_FORBIDDEN')
        await refusal(alice.call('GET', inRoom(roomId, 'state/org.example.s/k')), 404, 'M_NOT_FOUND')
      })
    },
  )
  operation(
    'getRoomStateWithKey',
    'GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}',
    ({ success, error, authorisation }) => {
      success('gives the content, or the event where asked', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice, { topic: 'the topic' })
        const all: (GivenEvent & { type: string; content: object })[] = await alice.ok(
          'GET',
          inRoom(roomId, 'state'),
        )
        const whole = (type: string): (typeof all)[number] => all.find((one) => one.type === type)!
        const topic = await alice.ok('GET', inRoom(roomId, 'state/m.room.topic/'))
        expect(topic).toEqual(whole('m.room.topic').content)
        expect(topic.topic).toBe('the topic')
        const member = await alice.ok('GET', inRoom(roomId, `state/m.room.member/${enc(alice.userId)}`))
        expect(member).toEqual(whole('m.room.member').content)
        expect(member.membership).toBe('join')
        const event = await alice.ok('GET', inRoom(roomId, 'state/m.room.topic/'), undefined, {
          format: 'event',
        })
        expect(event).toMatchObject({ type: 'm.room.topic', state_key: '', sender: alice.userId })
        await expectAsAlone(server, alice, roomId, [event])
      })
      error('knows no state that is not there', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('GET', inRoom(await createRoom(alice), 'state/org.example.none/k')),
          404,
          'M_NOT_FOUND',
        )
      })
      authorisation('is for members, and for those who were one, as it was', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob], { topic: 'before' })
        await bob.ok('POST', inRoom(roomId, 'leave'))
        await alice.ok('PUT', inRoom(roomId, 'state/m.room.topic/'), { topic: 'after' })
        expect((await bob.ok('GET', inRoom(roomId, 'state/m.room.topic/'))).topic).toBe('before')
        await refusal(carol.call('GET', inRoom(roomId, 'state/m.room.topic/')), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation('getRoomState', 'GET /_matrix/client/v3/rooms/{roomId}/state', ({ success, authorisation }) => {
    success('gives the whole current state', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      const roomId = await sharedRoom(alice, [bob], { name: 'N' })
      await alice.ok('PUT', inRoom(roomId, 'state/m.room.name/'), { name: 'M' })
      const events: { type: string; state_key: string; content: { name?: string }; event_id: string }[] =
        await bob.ok('GET', inRoom(roomId, 'state'))
      const keys = events.map((event) => `${event.type} ${event.state_key}`)
      expect(new Set(keys).size).toBe(keys.length)
      expect(keys).toEqual(
        expect.arrayContaining([
          'm.room.create ',
          'm.room.power_levels ',
          'm.room.join_rules ',
          `m.room.member ${alice.userId}`,
          `m.room.member ${bob.userId}`,
        ]),
      )
      expect(events.find((event) => event.type === 'm.room.name')!.content).toEqual({ name: 'M' })
      await expectAsAlone(server, bob, roomId, events)
    })
    authorisation('is for members', async (server) => {
      const [alice, bob] = [await server.user('alice'), await server.user('bob')]
      await refusal(bob.call('GET', inRoom(await createRoom(alice), 'state')), 403, 'M_FORBIDDEN')
    })
  })
  operation(
    'getMembersByRoom',
    'GET /_matrix/client/v3/rooms/{roomId}/members',
    ({ success, error, authorisation }) => {
      interface Member {
        readonly state_key: string
        readonly content: { readonly membership: string }
      }
      success('lists the memberships, all or some, now or then', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const roomId = await sharedRoom(alice, [bob], { invite: [carol.userId] })
        const at = (await alice.ok('GET', v3('/sync'))).next_batch
        await bob.ok('POST', inRoom(roomId, 'leave'))
        const members = async (query: Record<string, string> = {}): Promise<string[]> =>
          (await alice.ok('GET', inRoom(roomId, 'members'), undefined, query)).chunk
            .map((event: Member) => `${event.content.membership} ${event.state_key}`)
            .sort()
        expect(await members()).toEqual([
          `invite ${carol.userId}`,
          `join ${alice.userId}`,
          `leave ${bob.userId}`,
        ])
        await expectAsAlone(server, alice, roomId, (await alice.ok('GET', inRoom(roomId, 'members'))).chunk)
        expect(await members({ membership: 'join' })).toEqual([`join ${alice.userId}`])
        expect(await members({ not_membership: 'leave' })).toEqual([
          `invite ${carol.userId}`,
          `join ${alice.userId}`,
        ])
        expect(await members({ at, membership: 'join' })).toEqual([
          `join ${alice.userId}`,
          `join ${bob.userId}`,
        ])
      })
      error('refuses other memberships', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(
          alice.call('GET', inRoom(roomId, 'members'), { query: { membership: 'x' } }),
          400,
          'M_INVALID_PARAM',
          'M_BAD_JSON',
        )
      })
      authorisation('is for members', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('GET', inRoom(await createRoom(alice), 'members')), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation(
    'getJoinedMembersByRoom',
    'GET /_matrix/client/v3/rooms/{roomId}/joined_members',
    ({ success, authorisation }) => {
      success('lists who is in, by name and picture', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/displayname`), { displayname: 'Bob B.' })
        await bob.ok('PUT', v3(`/profile/${enc(bob.userId)}/avatar_url`), { avatar_url: 'mxc://a/b' })
        const roomId = await sharedRoom(alice, [bob], { invite: [carol.userId] })
        const { joined } = await alice.ok('GET', inRoom(roomId, 'joined_members'))
        expect(Object.keys(joined).sort()).toEqual([alice.userId, bob.userId].sort())
        expect(joined[bob.userId]).toEqual({ display_name: 'Bob B.', avatar_url: 'mxc://a/b' })
      })
      authorisation('is for members', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('GET', inRoom(await createRoom(alice), 'joined_members')), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation(
    'getRoomEvents',
    'GET /_matrix/client/v3/rooms/{roomId}/messages',
    ({ success, error, authorisation }) => {
      success('pages back and forth, with tokens that meet', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const sent: string[] = []
        for (let i = 0; i < 5; i++) sent.push(await sendText(alice, roomId, `m${i}`))
        const page = (
          query: Record<string, string | number>,
        ): Promise<{ chunk: { event_id: string }[]; start: string; end?: string }> =>
          alice.ok('GET', inRoom(roomId, 'messages'), undefined, query)
        const ids = ({ chunk }: { chunk: { event_id: string }[] }): string[] =>
          chunk.map((event) => event.event_id)
        const first = await page({ dir: 'b', limit: 2 })
        expect(ids(first)).toEqual([sent[4], sent[3]])
        expect(first.chunk[0]).toMatchObject({
          sender: alice.userId,
          content: { msgtype: 'm.text', body: 'm4' },
        })
        const second = await page({ dir: 'b', limit: 2, from: first.end! })
        expect(ids(second)).toEqual([sent[2], sent[1]])
        expect(second.start).toBe(first.end)
        expect(ids(await page({ dir: 'f', limit: 2, from: second.end! }))).toEqual([sent[1], sent[2]])
        const filter = JSON.stringify({ types: ['m.room.create'] })
        const all = await page({ dir: 'b', limit: 100, filter })
        expect(all.chunk).toHaveLength(1)
        const last = await page({ dir: 'b', limit: 100 })
        expect([last.chunk.length > 5, last.end]).toEqual([true, undefined])
        await expectAsAlone(server, alice, roomId, last.chunk)
      })
      error('refuses directions and tokens that are none', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const ask = (query: Record<string, string>): Promise<Answer> =>
          alice.call('GET', inRoom(roomId, 'messages'), { query })
        await refusal(ask({}), 400, 'M_MISSING_PARAM')
        await refusal(ask({ dir: 'x' }), 400, 'M_INVALID_PARAM', 'M_UNKNOWN')
        await refusal(ask({ dir: 'b', from: 'nonsense' }), 400, 'M_INVALID_PARAM', 'M_UNKNOWN')
      })
      authorisation('is for members, and shows nothing from before a join that is hidden', async (server) => {
        const [alice, bob, carol] = [
          await server.user('alice'),
          await server.user('bob'),
          await server.user('carol'),
        ]
        const hidden = {
          type: 'm.room.history_visibility',
          state_key: '',
          content: { history_visibility: 'joined' },
        }
        const roomId = await createRoom(alice, { preset: 'public_chat', initial_state: [hidden] })
        await sendText(alice, roomId, 'secret')
        await bob.ok('POST', inRoom(roomId, 'join'))
        const { chunk } = await bob.ok('GET', inRoom(roomId, 'messages'), undefined, { dir: 'b', limit: 100 })
        expect(JSON.stringify(chunk)).not.toContain('secret')
        expect(chunk[0]).toMatchObject({ type: 'm.room.member', state_key: bob.userId, room_id: roomId })
        await refusal(
          carol.call('GET', inRoom(roomId, 'messages'), { query: { dir: 'b' } }),
          403,
          'M_FORBIDDEN',
        )
      })
    },
  )
  operation(
    'getOneRoomEvent',
    'GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}',
    ({ success, error, authorisation }) => {
      success('gives one event', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const eventId = await sendText(alice, roomId, 'this one')
        await sendText(alice, roomId, 'not this one')
        expect(await bob.ok('GET', inRoom(roomId, `event/${enc(eventId)}`))).toMatchObject({
          event_id: eventId,
          room_id: roomId,
          sender: alice.userId,
          type: 'm.room.message',
          content: { body: 'this one' },
          origin_server_ts: expect.any(Number),
          unsigned: expect.objectContaining({ membership: 'join' }),
        })
        const own = await alice.ok('GET', inRoom(roomId, `event/${enc(eventId)}`))
        expect(own.content).toEqual({ msgtype: 'm.text', body: 'this one' })
        expect(own.unsigned.transaction_id).toMatch(/^t\d+-\d+$/)
      })
      error('knows no unknown event, and none of other rooms', async (server) => {
        const alice = await server.user('alice')
        const [one, other] = [await createRoom(alice), await createRoom(alice)]
        const eventId = await sendText(alice, other, 'x')
        await refusal(alice.call('GET', inRoom(one, `event/${enc('$none')}`)), 404, 'M_NOT_FOUND')
        await refusal(alice.call('GET', inRoom(one, `event/${enc(eventId)}`)), 404, 'M_NOT_FOUND')
      })
      authorisation(
        'is for members: others are told what they are told of unknown events',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await createRoom(alice)
          const eventId = await sendText(alice, roomId, 'x')
          const seen = await bob.call('GET', inRoom(roomId, `event/${enc(eventId)}`))
          const unknown = await bob.call('GET', inRoom(roomId, `event/${enc('$none')}`))
          expect([seen.status, seen.body]).toEqual([unknown.status, unknown.body])
          expect(['M_FORBIDDEN', 'M_NOT_FOUND']).toContain(seen.body.errcode)
        },
      )
    },
  )
  operation(
    'getEventContext',
    'GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}',
    ({ success, error, authorisation }) => {
      success('gives what is around an event, and tokens to go on', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice, { name: 'N' })
        const sent: string[] = []
        for (let i = 0; i < 5; i++) sent.push(await sendText(alice, roomId, `m${i}`))
        const around = await alice.ok('GET', inRoom(roomId, `context/${enc(sent[2]!)}`), undefined, {
          limit: 2,
        })
        const ids = (events: { event_id: string }[]): string[] => events.map((event) => event.event_id)
        expect([ids(around.events_before), around.event.event_id, ids(around.events_after)]).toEqual([
          [sent[1]],
          sent[2],
          [sent[3]],
        ])
        expect(around.state.map((event: { type: string }) => event.type)).toEqual(
          expect.arrayContaining(['m.room.create', 'm.room.name']),
        )
        for (const [event, body] of [
          [around.event, 'm2'],
          [around.events_before[0], 'm1'],
          [around.events_after[0], 'm3'],
        ])
          expect(event).toMatchObject({ sender: alice.userId, content: { msgtype: 'm.text', body } })
        await expectAsAlone(server, alice, roomId, [
          around.event,
          ...around.events_before,
          ...around.events_after,
          ...around.state,
        ])
        const older = await alice.ok('GET', inRoom(roomId, 'messages'), undefined, {
          dir: 'b',
          from: around.start,
          limit: 1,
        })
        expect(ids(older.chunk)).toEqual([sent[0]])
        const newer = await alice.ok('GET', inRoom(roomId, 'messages'), undefined, {
          dir: 'f',
          from: around.end,
          limit: 1,
        })
        expect(ids(newer.chunk)).toEqual([sent[4]])
      })
      error('knows no unknown event', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('GET', inRoom(await createRoom(alice), `context/${enc('$none')}`)),
          404,
          'M_NOT_FOUND',
        )
      })
      authorisation('is for members', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await createRoom(alice)
        const eventId = await sendText(alice, roomId, 'x')
        const { status, body } = await bob.call('GET', inRoom(roomId, `context/${enc(eventId)}`))
        expect(['403 M_FORBIDDEN', '404 M_NOT_FOUND']).toContain(`${status} ${body.errcode}`)
      })
    },
  )
  operation(
    'redactEvent',
    'PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}',
    ({ success, authorisation }) => {
      const redact = (user: User, roomId: string, eventId: string, txn = 't'): Promise<Answer> =>
        user.call('PUT', inRoom(roomId, `redact/${enc(eventId)}/${txn}`), { body: { reason: 'typo' } })
      success('takes the content away, and says why', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const eventId = await sendText(bob, roomId, 'oops')
        const { event_id: id } = (await redact(bob, roomId, eventId)).body
        expect((await redact(bob, roomId, eventId)).body.event_id).toBe(id)
        const event = await alice.ok('GET', inRoom(roomId, `event/${enc(eventId)}`))
        expect(event).toMatchObject({
          content: {},
          unsigned: { redacted_because: { event_id: id, content: { reason: 'typo' } } },
        })
      })
      authorisation('is for who sent it, or has the level', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const ours = await sendText(alice, roomId, 'stays')
        await refusal(redact(bob, roomId, ours), 403, 'M_FORBIDDEN')
        expect((await alice.ok('GET', inRoom(roomId, `event/${enc(ours)}`))).content.body).toBe('stays')
        const theirs = await sendText(bob, roomId, 'goes')
        const { body } = await redact(alice, roomId, theirs)
        const gone = await bob.ok('GET', inRoom(roomId, `event/${enc(theirs)}`))
        expect([gone.content, gone.unsigned.redacted_because.event_id]).toEqual([{}, body.event_id])
      })
    },
  )
})
