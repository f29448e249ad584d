import { expect } from '@jest/globals'
import { eventually, type Answer, type User } from '../harness/client.js'
import { enc, refusal, section, sharedRoom, v3 } from '../harness/section.js'

const own = (user: User, rest: string): string => v3(`/user/${enc(user.userId)}/${rest}`)
let counter = 0
/** What nobody else has: who is given another user's data shall see that it is not theirs. */
const unique = (what: string): string => `${what} ${Date.now().toString(36)}${counter++}`
const profile = (user: User, key = ''): string => v3(`/profile/${enc(user.userId)}${key && `/${key}`}`)

section('Profiles', 'client-server-api/#profiles', (operation) => {
  operation(
    'setProfileField',
    'PUT /_matrix/client/v3/profile/{userId}/{keyName}',
    ({ success, error, authorisation }) => {
      success('sets a name that others see, also in rooms', async (server) => {
        const alice = await server.user('alice')
        const bob = await server.user('bob')
        const roomId = await sharedRoom(alice, [bob])
        const displayname = unique('Alice A.')
        await alice.ok('PUT', profile(alice, 'displayname'), { displayname })
        expect(await bob.ok('GET', profile(alice, 'displayname'))).toEqual({ displayname })
        const members = (): Promise<Record<string, { display_name?: string }>> =>
          bob.ok('GET', v3(`/rooms/${enc(roomId)}/joined_members`)).then(({ joined }) => joined)
        await eventually(
          'the name in the room',
          async () => (await members())[alice.userId]?.display_name === displayname,
        )
      })
      success('sets fields of one’s own', async (server) => {
        const alice = await server.user('alice')
        await alice.ok('PUT', profile(alice, 'org.example.field'), { 'org.example.field': { x: [1] } })
        expect((await alice.ok('GET', profile(alice)))['org.example.field']).toEqual({ x: [1] })
      })
      error('refuses wrong types and other keys', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('PUT', profile(alice, 'displayname'), { body: { displayname: 7 } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
        await refusal(
          alice.call('PUT', profile(alice, 'displayname'), { body: {} }),
          400,
          'M_MISSING_PARAM',
          'M_BAD_JSON',
        )
        await refusal(
          alice.call('PUT', profile(alice, 'x'.repeat(300)), { body: { ['x'.repeat(300)]: 1 } }),
          400,
          'M_KEY_TOO_LARGE',
        )
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(
          bob.call('PUT', profile(alice, 'displayname'), { body: { displayname: 'x' } }),
          403,
          'M_FORBIDDEN',
        )
      })
    },
  )
  operation(
    'getProfileField',
    'GET /_matrix/client/v3/profile/{userId}/{keyName}',
    ({ success, error }) => {
      success('gives one field of anybody here', async (server) => {
        const alice = await server.user('alice')
        const avatar_url = `mxc://${server.serverName}/${unique('abc').replace(' ', '')}`
        await alice.ok('PUT', profile(alice, 'avatar_url'), { avatar_url })
        const bob = await server.user('bob')
        expect(await bob.ok('GET', profile(alice, 'avatar_url'))).toEqual({ avatar_url })
      })
      error('knows no unset field and no unknown user', async (server) => {
        const alice = await server.user('alice')
        await refusal(alice.call('GET', profile(alice, 'org.example.none')), 404, 'M_NOT_FOUND')
        await refusal(
          alice.call('GET', v3(`/profile/${enc(`@nobody:${server.serverName}`)}/displayname`)),
          404,
          'M_NOT_FOUND',
        )
      })
    },
    { auth: 'none' },
  )
  operation(
    'getUserProfile',
    'GET /_matrix/client/v3/profile/{userId}',
    ({ success, error }) => {
      success('gives all fields of anybody here', async (server) => {
        const alice = await server.user('alice')
        const displayname = unique('Alice')
        await alice.ok('PUT', profile(alice, 'displayname'), { displayname })
        await alice.ok('PUT', profile(alice, 'm.tz'), { 'm.tz': 'Europe/Berlin' })
        const bob = await server.user('bob')
        expect(await bob.ok('GET', profile(alice))).toEqual({ displayname, 'm.tz': 'Europe/Berlin' })
      })
      error('knows no unknown user', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('GET', v3(`/profile/${enc(`@nobody:${server.serverName}`)}`)),
          404,
          'M_NOT_FOUND',
        )
        await refusal(alice.call('GET', v3('/profile/nobody')), 400, 'M_INVALID_PARAM')
      })
    },
    { auth: 'none' },
  )
  operation(
    'deleteProfileField',
    'DELETE /_matrix/client/v3/profile/{userId}/{keyName}',
    ({ success, authorisation }) => {
      success('removes a field', async (server) => {
        const alice = await server.user('alice')
        await alice.ok('PUT', profile(alice, 'm.tz'), { 'm.tz': 'Europe/Berlin' })
        await alice.ok('DELETE', profile(alice, 'm.tz'))
        await refusal(alice.call('GET', profile(alice, 'm.tz')), 404, 'M_NOT_FOUND')
        expect((await alice.ok('GET', profile(alice)))['m.tz']).toBeUndefined()
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await alice.ok('PUT', profile(alice, 'm.tz'), { 'm.tz': 'Europe/Berlin' })
        await refusal(bob.call('DELETE', profile(alice, 'm.tz')), 403, 'M_FORBIDDEN')
        expect(await bob.ok('GET', profile(alice, 'm.tz'))).toEqual({ 'm.tz': 'Europe/Berlin' })
      })
    },
  )
})

section('Client config', 'client-server-api/#client-config', (operation) => {
  for (const inRoom of [false, true]) {
    const suffix = inRoom ? 'PerRoom' : ''
    const template = `/_matrix/client/v3/user/{userId}/${inRoom ? 'rooms/{roomId}/' : ''}account_data/{type}`
    const roomOf = async (user: User): Promise<string> =>
      inRoom ? `rooms/${enc(await sharedRoom(user))}/` : ''
    operation(`setAccountData${suffix}`, `PUT ${template}`, ({ success, error, authorisation }) => {
      success('keeps it and shows it in /sync', async (server) => {
        const alice = await server.user('alice')
        const room = await roomOf(alice)
        await alice.ok('PUT', own(alice, `${room}account_data/org.example.a`), { a: 1 })
        await alice.ok('PUT', own(alice, `${room}account_data/org.example.a`), { a: 2 })
        expect(await alice.ok('GET', own(alice, `${room}account_data/org.example.a`))).toEqual({ a: 2 })
        const answer = await alice.ok('GET', v3('/sync'))
        const place = inRoom ? Object.values<{ account_data: object }>(answer.rooms.join)[0]! : answer
        expect((place as typeof answer).account_data.events).toContainEqual({
          type: 'org.example.a',
          content: { a: 2 },
        })
      })
      error('refuses what is no object, and types of the server', async (server) => {
        const alice = await server.user('alice')
        const room = await roomOf(alice)
        const put = (type: string, body: unknown): Promise<Answer> =>
          alice.call('PUT', own(alice, `${room}account_data/${type}`), { body })
        await refusal(put('org.example.a', '[1]'), 400, 'M_BAD_JSON', 'M_NOT_JSON')
        await refusal(put('m.fully_read', {}), 405, 'M_BAD_JSON')
        await refusal(put('m.push_rules', {}), 405, 'M_BAD_JSON')
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const room = await roomOf(alice)
        await refusal(
          bob.call('PUT', own(alice, `${room}account_data/org.example.a`), { body: { a: 3 } }),
          403,
          'M_FORBIDDEN',
        )
        await refusal(alice.call('GET', own(alice, `${room}account_data/org.example.a`)), 404, 'M_NOT_FOUND')
      })
    })
    operation(`getAccountData${suffix}`, `GET ${template}`, ({ success, error, authorisation }) => {
      success('gives what was kept', async (server) => {
        const alice = await server.user('alice')
        const room = await roomOf(alice)
        const kept = { deep: { list: [1, unique('x'), null] } }
        await alice.ok('PUT', own(alice, `${room}account_data/org.example.b`), kept)
        expect(await alice.ok('GET', own(alice, `${room}account_data/org.example.b`))).toEqual(kept)
      })
      error('knows nothing that was not kept', async (server) => {
        const alice = await server.user('alice')
        const room = await roomOf(alice)
        await refusal(
          alice.call('GET', own(alice, `${room}account_data/org.example.none`)),
          404,
          'M_NOT_FOUND',
        )
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const room = await roomOf(alice)
        await alice.ok('PUT', own(alice, `${room}account_data/org.example.c`), { secret: 1 })
        await refusal(bob.call('GET', own(alice, `${room}account_data/org.example.c`)), 403, 'M_FORBIDDEN')
      })
    })
  }
})

section('Room tagging', 'client-server-api/#room-tagging', (operation) => {
  const tags = (user: User, roomId: string, tag = ''): string =>
    own(user, `rooms/${enc(roomId)}/tags${tag && `/${tag}`}`)
  operation(
    'setRoomTag',
    'PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
    ({ success, error, authorisation }) => {
      success('tags a room for the user, with an order', async (server) => {
        const alice = await server.user('alice')
        const bob = await server.user('bob')
        const roomId = await sharedRoom(alice, [bob])
        await alice.ok('PUT', tags(alice, roomId, 'm.favourite'), { order: 0.25 })
        await alice.ok('PUT', tags(alice, roomId, 'u.work'), {})
        expect(await alice.ok('GET', tags(alice, roomId))).toEqual({
          tags: { 'm.favourite': { order: 0.25 }, 'u.work': {} },
        })
        expect(await bob.ok('GET', tags(bob, roomId))).toEqual({ tags: {} })
        const { rooms } = await alice.ok('GET', v3('/sync'))
        expect(rooms.join[roomId].account_data.events).toContainEqual({
          type: 'm.tag',
          content: { tags: { 'm.favourite': { order: 0.25 }, 'u.work': {} } },
        })
      })
      error('refuses an order that is none', async (server) => {
        const alice = await server.user('alice')
        const roomId = await sharedRoom(alice)
        await refusal(
          alice.call('PUT', tags(alice, roomId, 'u.x'), { body: { order: 'x' } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        await refusal(bob.call('PUT', tags(alice, roomId, 'u.x'), { body: {} }), 403, 'M_FORBIDDEN')
        expect(await alice.ok('GET', tags(alice, roomId))).toEqual({ tags: {} })
      })
    },
  )
  operation(
    'getRoomTags',
    'GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags',
    ({ success, authorisation }) => {
      success('gives the user’s tags', async (server) => {
        const alice = await server.user('alice')
        const roomId = await sharedRoom(alice)
        expect(await alice.ok('GET', tags(alice, roomId))).toEqual({ tags: {} })
        const order = Number(`0.${Date.now() % 10_000_000}${counter++}1`)
        await alice.ok('PUT', tags(alice, roomId, 'm.lowpriority'), { order })
        expect(await alice.ok('GET', tags(alice, roomId))).toEqual({ tags: { 'm.lowpriority': { order } } })
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        await refusal(bob.call('GET', tags(alice, roomId)), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation(
    'deleteRoomTag',
    'DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}',
    ({ success, authorisation }) => {
      success('takes one tag away', async (server) => {
        const alice = await server.user('alice')
        const roomId = await sharedRoom(alice)
        await alice.ok('PUT', tags(alice, roomId, 'u.a'), {})
        await alice.ok('PUT', tags(alice, roomId, 'u.b'), {})
        await alice.ok('DELETE', tags(alice, roomId, 'u.a'))
        expect(await alice.ok('GET', tags(alice, roomId))).toEqual({ tags: { 'u.b': {} } })
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        await alice.ok('PUT', tags(alice, roomId, 'u.a'), {})
        await refusal(bob.call('DELETE', tags(alice, roomId, 'u.a')), 403, 'M_FORBIDDEN')
        expect(await alice.ok('GET', tags(alice, roomId))).toEqual({ tags: { 'u.a': {} } })
      })
    },
  )
})

section('Filtering', 'client-server-api/#filtering', (operation) => {
  const filter = {
    room: { timeline: { limit: 3, types: ['m.room.message'] } },
    presence: { not_types: ['*'] },
  }
  operation(
    'defineFilter',
    'POST /_matrix/client/v3/user/{userId}/filter',
    ({ success, error, authorisation }) => {
      success('keeps a filter that /sync takes', async (server) => {
        const alice = await server.user('alice')
        const roomId = await sharedRoom(alice)
        const { filter_id: id } = await alice.ok('POST', own(alice, 'filter'), {
          room: { timeline: { types: ['none'] } },
        })
        expect(id.startsWith('{')).toBe(false)
        const plain = await alice.ok('GET', v3('/sync'))
        expect(plain.rooms.join[roomId].timeline.events.length).toBeGreaterThan(0)
        const { rooms } = await alice.ok('GET', v3('/sync'), undefined, { filter: id })
        expect(rooms.join[roomId].timeline.events).toEqual([])
      })
      error('refuses what is no filter', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('POST', own(alice, 'filter'), { body: { room: 7 } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(bob.call('POST', own(alice, 'filter'), { body: filter }), 403, 'M_FORBIDDEN')
      })
    },
  )
  operation(
    'getFilter',
    'GET /_matrix/client/v3/user/{userId}/filter/{filterId}',
    ({ success, error, authorisation }) => {
      success('gives the filter back', async (server) => {
        const alice = await server.user('alice')
        const types = [`org.example.${unique('type').replace(' ', '')}`]
        const ofAlice = { ...filter, account_data: { types } }
        const { filter_id: id } = await alice.ok('POST', own(alice, 'filter'), ofAlice)
        expect(await alice.ok('GET', own(alice, `filter/${id}`))).toEqual(ofAlice)
      })
      error('knows no unknown id', async (server) => {
        const alice = await server.user('alice')
        await refusal(alice.call('GET', own(alice, 'filter/99999')), 404, 'M_NOT_FOUND')
      })
      authorisation('is for the user alone', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const { filter_id: id } = await alice.ok('POST', own(alice, 'filter'), filter)
        await refusal(bob.call('GET', own(alice, `filter/${id}`)), 403, 'M_FORBIDDEN', 'M_NOT_FOUND')
      })
    },
  )
})
