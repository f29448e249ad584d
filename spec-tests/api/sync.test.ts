import type { Homeserver } from '../harness/homeserver.js'
import { expect } from '@jest/globals'
import { startSync, type Answer, type User } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, sendText, sharedRoom, v3 } from '../harness/section.js'

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
