import type { Homeserver } from '../harness/homeserver.js'
import { expect } from '@jest/globals'
import { startSync, type Answer, type User } from '../harness/client.js'
import { expectAsAlone, type GivenEvent } from '../harness/events.js'
import { createRoom, enc, inRoom, refusal, section, sendText, sharedRoom, v3 } from '../harness/section.js'

const idsOf = (events: readonly GivenEvent[]): string[] => events.map(({ event_id: id }) => id)
const typesOf = (events: readonly object[]): string[] =>
  (events as readonly { type: string }[]).map(({ type }) => type)
/** Events of `/sync`, which do not say which room they are of, all together. */
const withRoom = (roomId: string, ...lists: (readonly GivenEvent[])[]): GivenEvent[] =>
  lists.flat().map((event) => ({ room_id: roomId, ...event }))

section(
  'Syncing',
  'client-server-api/#syncing',
  (operation) => {
    operation('sync', 'GET /_matrix/client/v3/sync', ({ success, error }) => {
      success('gives the rooms first, then what is new', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob], { name: 'N' })
        const sync = await startSync(bob)
        expect(Object.keys(sync.first.rooms.join)).toEqual([roomId])
        const eventId = await sendText(alice, roomId, 'news')
        const events = await sync.until('the message', ({ rooms }) => rooms?.join?.[roomId]?.timeline.events)
        expect(events).toMatchObject([{ event_id: eventId, sender: alice.userId, content: { body: 'news' } }])
        const quiet = await sync.next()
        expect(quiet.rooms?.join?.[roomId]).toBeUndefined()
      })
      success('waits for news', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const sync = await startSync(bob)
        const waiting = sync.next(10_000)
        await sendText(alice, roomId, 'wake up')
        expect((await waiting).rooms.join[roomId].timeline.events).toMatchObject([
          { content: { body: 'wake up' } },
        ])
      })
      success(
        'gives what is the user’s own: account data, messages, counts of keys, changed devices',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await sharedRoom(bob, [alice])
          const ofUser = (rest: string): string => v3(`/user/${enc(alice.userId)}${rest}`)
          await alice.ok('PUT', ofUser('/account_data/org.example.all'), { n: 1 })
          await alice.ok('PUT', ofUser(`/rooms/${enc(roomId)}/account_data/org.example.one`), { n: 2 })
          const key = (device: User, name: string): object => ({
            [`signed_curve25519:${name}`]: {
              key: name.repeat(43).slice(0, 43),
              signatures: { [device.userId]: { [`ed25519:${device.deviceId}`]: 'S'.repeat(43) } },
            },
          })
          const one_time_keys = { ...key(alice, 'A'), ...key(alice, 'B'), ...key(alice, 'C') }
          await alice.ok('POST', v3('/keys/upload'), { one_time_keys })
          const messages = { [alice.userId]: { [alice.deviceId]: { n: 3 } } }
          await bob.ok('PUT', v3('/sendToDevice/org.example.type/t'), { messages })
          const sync = await startSync(alice)
          const { first } = sync
          expect(first.account_data.events).toContainEqual({ type: 'org.example.all', content: { n: 1 } })
          expect(first.rooms.join[roomId].account_data.events).toContainEqual({
            type: 'org.example.one',
            content: { n: 2 },
          })
          expect(first.device_one_time_keys_count).toMatchObject({ signed_curve25519: 3 })
          expect(first.to_device.events).toEqual([
            { type: 'org.example.type', sender: bob.userId, content: { n: 3 } },
          ])
          const device_keys = {
            user_id: bob.userId,
            device_id: bob.deviceId,
            algorithms: ['m.megolm.v1.aes-sha2'],
            keys: { [`ed25519:${bob.deviceId}`]: 'K'.repeat(43) },
            signatures: { [bob.userId]: { [`ed25519:${bob.deviceId}`]: 'S'.repeat(43) } },
          }
          await bob.ok('POST', v3('/keys/upload'), { device_keys })
          expect(await sync.until('the device', ({ device_lists: lists }) => lists?.changed)).toEqual([
            bob.userId,
          ])
          await bob.ok('POST', inRoom(roomId, 'leave'))
          const left = await sync.until('the way out', ({ device_lists: lists }) =>
            lists?.left?.length > 0 ? lists.left : undefined,
          )
          expect(left).toEqual([bob.userId])
        },
      )
      success('gives of a room all that there is', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob], { topic: 'Everything' })
        const read = await sendText(alice, roomId, 'one')
        await bob.ok('POST', inRoom(roomId, `receipt/m.read/${enc(read)}`))
        const texts = [await sendText(alice, roomId, 'two'), await sendText(alice, roomId, 'three')]
        await alice.ok('PUT', inRoom(roomId, `typing/${enc(alice.userId)}`), {
          typing: true,
          timeout: 60_000,
        })
        const filter = JSON.stringify({
          room: { timeline: { limit: 1 }, state: { lazy_load_members: true } },
        })
        const room = (await bob.ok('GET', v3('/sync'), undefined, { filter })).rooms.join[roomId]
        expect(idsOf(room.timeline.events)).toEqual([texts[1]])
        expect(room.timeline).toMatchObject({ limited: true, prev_batch: expect.any(String) })
        await expectAsAlone(server, bob, roomId, withRoom(roomId, room.timeline.events, room.state.events))
        expect(typesOf(room.state.events)).toContain('m.room.topic')
        expect(room.summary).toEqual({
          'm.heroes': [alice.userId],
          'm.joined_member_count': 2,
          'm.invited_member_count': 0,
        })
        expect(room.unread_notifications).toEqual({ notification_count: 2, highlight_count: 0 })
        expect(room.account_data.events).toEqual([])
        const ephemeral = new Map(
          room.ephemeral.events.map(({ type, content }: { type: string; content: object }) => [
            type,
            content,
          ]),
        )
        expect(ephemeral.get('m.typing')).toEqual({ user_ids: [alice.userId] })
        expect(ephemeral.get('m.receipt')).toMatchObject({
          [read]: { 'm.read': { [bob.userId]: { ts: expect.any(Number) } } },
        })
        const earlier = await bob.ok('GET', inRoom(roomId, 'messages'), undefined, {
          dir: 'b',
          from: room.timeline.prev_batch,
          limit: 1,
        })
        expect(idsOf(earlier.chunk)).toEqual([texts[0]])
      })
      success('gives the whole state, and later what of it has changed', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob], { topic: 'Before' })
        await sendText(alice, roomId, 'x')
        const filter = JSON.stringify({ room: { timeline: { limit: 1 } } })
        const sync = await startSync(bob, { filter })
        const { timeline, state } = sync.first.rooms.join[roomId]
        const all: GivenEvent[] = await bob.ok('GET', inRoom(roomId, 'state'))
        expect(idsOf(state.events).sort()).toEqual(idsOf(all).sort())
        expect(typesOf(timeline.events)).toEqual(['m.room.message'])
        const { event_id: changed } = await alice.ok('PUT', inRoom(roomId, 'state/m.room.topic/'), {
          topic: 'After',
        })
        const last = await sendText(alice, roomId, 'y')
        const next = (await sync.next()).rooms.join[roomId]
        expect(idsOf(next.timeline.events)).toEqual([last])
        expect(next.timeline.limited).toBe(true)
        expect(idsOf(next.state.events)).toEqual([changed])
        await expectAsAlone(server, bob, roomId, withRoom(roomId, next.state.events))
      })
      success('gives the state after the timeline to those who want it so', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const sync = await startSync(alice, { use_state_after: true })
        expect(sync.first.rooms.join[roomId]).not.toHaveProperty('state')
        const all: GivenEvent[] = await alice.ok('GET', inRoom(roomId, 'state'))
        expect(idsOf(sync.first.rooms.join[roomId].state_after.events).sort()).toEqual(idsOf(all).sort())
        const { event_id: topic } = await alice.ok('PUT', inRoom(roomId, 'state/m.room.topic/'), {
          topic: 'After',
        })
        const next = (await sync.next()).rooms.join[roomId]
        expect([idsOf(next.timeline.events), idsOf(next.state_after.events)]).toEqual([[topic], [topic]])
        await expectAsAlone(server, alice, roomId, withRoom(roomId, next.state_after.events))
      })
      success('counts what is unread in threads by themselves where it is asked to', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const root = await sendText(alice, roomId, 'root')
        const path = (n: number): string => inRoom(roomId, `send/m.room.message/thread${n}`)
        const relation = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } }
        for (const n of [1, 2])
          await alice.ok('PUT', path(n), { msgtype: 'm.text', body: `reply ${n}`, ...relation })
        const filter = JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } })
        const room = (await bob.ok('GET', v3('/sync'), undefined, { filter })).rooms.join[roomId]
        expect(room.unread_notifications).toEqual({ notification_count: 1, highlight_count: 0 })
        expect(room.unread_thread_notifications).toEqual({
          [root]: { notification_count: 2, highlight_count: 0 },
        })
      })
      success('gives invitations, knocks, and rooms that one has left', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const limited = { timeline: { limit: 1 } }
        const sync = await startSync(bob, { filter: JSON.stringify({ room: limited }) })
        const invitedTo = await createRoom(alice, { preset: 'private_chat', name: 'Invited' })
        await alice.ok('POST', inRoom(invitedTo, 'invite'), { user_id: bob.userId, reason: 'Please come' })
        const closed = { type: 'm.room.join_rules', content: { join_rule: 'knock' } }
        const knockedAt = await createRoom(alice, { name: 'Knocked', initial_state: [closed] })
        await bob.ok('POST', v3(`/knock/${enc(knockedAt)}`), { reason: 'May I' })
        const leftFrom = await sharedRoom(alice, [bob], { name: 'Left' })
        const note = { type: 'org.example.note', content: { room: 'Left' } }
        const place = `/user/${enc(bob.userId)}/rooms/${enc(leftFrom)}/account_data/${note.type}`
        await bob.ok('PUT', v3(place), note.content)
        await bob.ok('POST', inRoom(leftFrom, 'leave'), { reason: 'Enough' })
        const filter = JSON.stringify({ room: { ...limited, include_leave: true } })
        for (const answer of [await sync.next(), await bob.ok('GET', v3('/sync'), undefined, { filter })]) {
          const { join = {}, invite, knock, leave } = answer.rooms
          expect(Object.keys(join)).toEqual([])
          const own = (sender: User, content: object): object =>
            expect.objectContaining({
              type: 'm.room.member',
              state_key: bob.userId,
              sender: sender.userId,
              content: expect.objectContaining(content),
            })
          const named = (name: string): object =>
            expect.objectContaining({ type: 'm.room.name', state_key: '', content: { name } })
          expect(Object.keys(invite)).toEqual([invitedTo])
          const { events: ofInvite } = invite[invitedTo].invite_state
          expect(ofInvite).toContainEqual(own(alice, { membership: 'invite', reason: 'Please come' }))
          expect(ofInvite).toContainEqual(named('Invited'))
          expect(Object.keys(knock)).toEqual([knockedAt])
          const { events: ofKnock } = knock[knockedAt].knock_state
          expect(ofKnock).toContainEqual(own(bob, { membership: 'knock', reason: 'May I' }))
          expect(ofKnock).toContainEqual(named('Knocked'))
          expect(Object.keys(leave)).toEqual([leftFrom])
          const { timeline, state, account_data: data } = leave[leftFrom]
          expect(timeline.events).toEqual([own(bob, { membership: 'leave', reason: 'Enough' })])
          expect(timeline).toMatchObject({ limited: true, prev_batch: expect.any(String) })
          expect(state.events).toContainEqual(named('Left'))
          await expectAsAlone(server, bob, leftFrom, withRoom(leftFrom, timeline.events, state.events))
          expect(data.events).toEqual([note])
        }
      })
      success('tells which fallback keys are unused', async (server) => {
        const alice = await server.user('alice')
        const none = await alice.ok('GET', v3('/sync'))
        expect(none.device_unused_fallback_key_types).toEqual([])
        const key = {
          key: 'F'.repeat(43),
          fallback: true,
          signatures: { [alice.userId]: { [`ed25519:${alice.deviceId}`]: 'S'.repeat(43) } },
        }
        await alice.ok('POST', v3('/keys/upload'), { fallback_keys: { 'signed_curve25519:F': key } })
        const some = await alice.ok('GET', v3('/sync'))
        expect(some.device_unused_fallback_key_types).toEqual(['signed_curve25519'])
        // Clients still look for it by its older name.
        if (server.own)
          for (const answer of [none, some])
            expect(answer['org.matrix.msc2732.device_unused_fallback_key_types']).toEqual(
              answer.device_unused_fallback_key_types,
            )
      })
      success(
        'tells who is there',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await sharedRoom(bob, [alice])
          await bob.ok('PUT', v3(`/presence/${enc(bob.userId)}/status`), {
            presence: 'online',
            status_msg: 'Here',
          })
          const sync = await startSync(alice)
          const isOfBob = ({ sender }: { sender: string }): boolean => sender === bob.userId
          const told =
            sync.first.presence?.events?.find(isOfBob) ??
            (await sync.until('presence', ({ presence }) => presence?.events?.find(isOfBob)))
          expect(told).toMatchObject({ type: 'm.presence', content: { status_msg: 'Here' } })
        },
        { needs: 'presence' },
      )
      // The specification speaks of events, and leaves it to servers whether these are some.
      success(
        'says nothing of what those do whom the user ignores',
        async (server) => {
          const [alice, bob, carol] = [
            await server.user('alice'),
            await server.user('bob'),
            await server.user('carol'),
          ]
          const roomId = await sharedRoom(alice, [bob, carol])
          const ignored_users = { [bob.userId]: {} }
          await carol.ok('PUT', v3(`/user/${enc(carol.userId)}/account_data/m.ignored_user_list`), {
            ignored_users,
          })
          for (const user of [alice, bob]) {
            await user.ok('PUT', v3(`/presence/${enc(user.userId)}/status`), { presence: 'online' })
            await user.ok('PUT', inRoom(roomId, `typing/${enc(user.userId)}`), {
              typing: true,
              timeout: 60_000,
            })
            await sendText(user, roomId, `of ${user.userId}`)
          }
          const told = async (user: User): Promise<unknown> => {
            const { rooms, presence } = await user.ok('GET', v3('/sync'))
            const { ephemeral, timeline } = rooms.join[roomId]
            const isTyping = ({ type }: { type: string }): boolean => type === 'm.typing'
            const typists: string[] = ephemeral.events.find(isTyping).content.user_ids
            const isText = ({ type }: { type: string }): boolean => type === 'm.room.message'
            const sender = (event: { sender: string }): string => event.sender
            return {
              typing: typists.toSorted(),
              texts: timeline.events.filter(isText).map(sender),
              presence: presence.events
                .map(sender)
                .filter((id: string) => id !== user.userId)
                .sort(),
            }
          }
          const both = [alice.userId, bob.userId].sort()
          expect(await told(alice)).toMatchObject({ typing: both, texts: [alice.userId, bob.userId] })
          const one = [alice.userId]
          expect(await told(carol)).toEqual({ typing: one, texts: one, presence: one })
        },
        { ownOnly: true },
      )
      error('refuses tokens and filters that are none', async (server) => {
        const alice = await server.user('alice')
        const ask = (query: Record<string, string>): Promise<Answer> =>
          alice.call('GET', v3('/sync'), { query })
        await refusal(ask({ since: 'nonsense' }), 400, 'M_INVALID_PARAM', 'M_UNKNOWN')
        await refusal(ask({ filter: '{' }), 400, 'M_NOT_JSON', 'M_INVALID_PARAM', 'M_BAD_JSON')
        await refusal(ask({ timeout: 'x' }), 400, 'M_INVALID_PARAM')
      })
    })
  },
  { config: { presence: { enabled: true } } },
)

const counts = async (user: User, roomId: string): Promise<number> =>
  (await user.ok('GET', v3('/sync'))).rooms.join[roomId].unread_notifications.notification_count

section('Typing notifications', 'client-server-api/#typing-notifications', (operation) => {
  operation(
    'setTyping',
    'PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}',
    ({ success, error, authorisation }) => {
      const typing = (user: User, roomId: string, who: User, body: object): Promise<Answer> =>
        user.call('PUT', inRoom(roomId, `typing/${enc(who.userId)}`), { body })
      success('tells the others who types, until it ends', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const sync = await startSync(bob)
        const seen = (ids: string[]): Promise<true> =>
          sync.until(
            `typing: ${ids.join()}`,
            ({ rooms }) =>
              JSON.stringify(rooms?.join?.[roomId]?.ephemeral?.events) ===
                JSON.stringify([{ type: 'm.typing', content: { user_ids: ids } }]) && true,
          )
        expect((await typing(alice, roomId, alice, { typing: true, timeout: 20_000 })).body).toEqual({})
        await seen([alice.userId])
        await typing(alice, roomId, alice, { typing: false })
        await seen([])
      })
      error('wants a boolean', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(typing(alice, roomId, alice, {}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
      })
      authorisation('is for members, and for oneself', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await createRoom(alice)
        await refusal(typing(bob, roomId, bob, { typing: true }), 403, 'M_FORBIDDEN')
        const both = await sharedRoom(alice, [bob])
        await refusal(typing(bob, both, alice, { typing: true }), 403, 'M_FORBIDDEN')
      })
    },
  )
})

section('Receipts', 'client-server-api/#receipts', (operation) => {
  operation(
    'postReceipt',
    'POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}',
    ({ success, error, authorisation }) => {
      const path = (roomId: string, eventId: string, type = 'm.read'): string =>
        inRoom(roomId, `receipt/${type}/${enc(eventId)}`)
      success('marks what was read, for all to see, and clears the counts', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const eventId = await sendText(alice, roomId, 'x')
        expect(await counts(bob, roomId)).toBe(1)
        const sync = await startSync(alice)
        await bob.ok('POST', path(roomId, eventId))
        const receipts = await sync.until(
          'the receipt',
          ({ rooms }) => rooms?.join?.[roomId]?.ephemeral?.events?.[0],
        )
        expect(receipts).toMatchObject({
          type: 'm.receipt',
          content: { [eventId]: { 'm.read': { [bob.userId]: { ts: expect.any(Number) } } } },
        })
        expect(await counts(bob, roomId)).toBe(0)
      })
      success('keeps private receipts private', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const eventId = await sendText(alice, roomId, 'x')
        await bob.ok('POST', path(roomId, eventId, 'm.read.private'))
        expect(await counts(bob, roomId)).toBe(0)
        const { rooms } = await alice.ok('GET', v3('/sync'))
        expect(JSON.stringify(rooms.join[roomId].ephemeral ?? {})).not.toContain(bob.userId)
      })
      error('refuses other types', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(
          alice.call('POST', path(roomId, await sendText(alice, roomId, 'x'), 'm.none'), { body: {} }),
          400,
          'M_INVALID_PARAM',
        )
      })
      error('refuses threads that are none', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        const eventId = await sendText(alice, roomId, 'x')
        for (const thread of ['', '$a\u0000b', '\u0000', 'thread', '$'.padEnd(300, 'x')])
          await refusal(
            alice.call('POST', path(roomId, eventId), { body: { thread_id: thread } }),
            400,
            'M_INVALID_PARAM',
            'M_BAD_JSON',
          )
      })
      authorisation('is for members', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await createRoom(alice)
        await refusal(
          bob.call('POST', path(roomId, await sendText(alice, roomId, 'x')), { body: {} }),
          403,
          'M_FORBIDDEN',
        )
      })
    },
  )
  operation(
    'setReadMarker',
    'POST /_matrix/client/v3/rooms/{roomId}/read_markers',
    ({ success, error, authorisation }) => {
      success('sets the marker and the receipt', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const eventId = await sendText(alice, roomId, 'x')
        await bob.ok('POST', inRoom(roomId, 'read_markers'), { 'm.fully_read': eventId, 'm.read': eventId })
        const room = (await bob.ok('GET', v3('/sync'))).rooms.join[roomId]
        expect(room.account_data.events).toContainEqual({
          type: 'm.fully_read',
          content: { event_id: eventId },
        })
        expect(room.ephemeral.events[0].content[eventId]['m.read'][bob.userId].ts).toEqual(expect.any(Number))
        expect(room.unread_notifications.notification_count).toBe(0)
      })
      error('refuses what is no event', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(
          alice.call('POST', inRoom(roomId, 'read_markers'), { body: { 'm.fully_read': 7 } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
      })
      // The specification has no refusal for this.
      const mayBeOtherwise = { ownOnly: true }
      const forMembers = async (server: Homeserver): Promise<void> => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await createRoom(alice)
        const body = { 'm.fully_read': await sendText(alice, roomId, 'x') }
        await refusal(bob.call('POST', inRoom(roomId, 'read_markers'), { body }), 403, 'M_FORBIDDEN')
      }
      authorisation('is for members', forMembers, mayBeOtherwise)
    },
  )
})
