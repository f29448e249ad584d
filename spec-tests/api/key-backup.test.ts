import { expect } from '@jest/globals'
import type { Answer, User } from '../harness/client.js'
import { enc, refusal, section, v3 } from '../harness/section.js'

const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2'
const AUTH = { public_key: 'abcdefg', signatures: {} }
const key = (text: string, first = 1): object => ({
  first_message_index: first,
  forwarded_count: 0,
  is_verified: true,
  session_data: { ciphertext: text, ephemeral: 'x', mac: 'y' },
})
const ROOM = '!room:example.org'
const keys = (rest: string, version: string): string => v3(`/room_keys/keys${rest}?version=${version}`)
const ROOM_PATH = `/${enc(ROOM)}`

async function newVersion(user: User): Promise<string> {
  return (await user.ok('POST', v3('/room_keys/version'), { algorithm: ALGORITHM, auth_data: AUTH })).version
}
/** A backup with two sessions in one room and one in another. */
async function filled(user: User): Promise<string> {
  const version = await newVersion(user)
  await user.ok(
    'PUT',
    keys('', version).split('?')[0]!,
    {
      rooms: {
        [ROOM]: { sessions: { s1: key('one'), s2: key('two') } },
        '!other:example.org': { sessions: { s3: key('three') } },
      },
    },
    { version },
  )
  return version
}
const get = (user: User, rest: string, version: string): Promise<Answer> =>
  user.call('GET', v3(`/room_keys/keys${rest}`), { query: { version } })
const put = (user: User, rest: string, version: string, body: object): Promise<Answer> =>
  user.call('PUT', v3(`/room_keys/keys${rest}`), { query: { version }, body })
const remove = (user: User, rest: string, version: string): Promise<Answer> =>
  user.call('DELETE', v3(`/room_keys/keys${rest}`), { query: { version } })

section('Server-side key backups', 'client-server-api/#server-side-key-backups', (operation) => {
  operation('postRoomKeysVersion', 'POST /_matrix/client/v3/room_keys/version', ({ success, error }) => {
    success('begins a new backup', async (server) => {
      const alice = await server.user('alice')
      const first = await newVersion(alice)
      const second = await newVersion(alice)
      expect(second).not.toBe(first)
      expect((await alice.ok('GET', v3('/room_keys/version'))).version).toBe(second)
    })
    error('refuses what is no backup', async (server) => {
      await refusal(
        (await server.user()).call('POST', v3('/room_keys/version'), { body: {} }),
        400,
        'M_MISSING_PARAM',
        'M_BAD_JSON',
      )
    })
  })
  operation('getRoomKeysVersionCurrent', 'GET /_matrix/client/v3/room_keys/version', ({ success, error }) => {
    success('tells of the newest backup', async (server) => {
      const alice = await server.user('alice')
      const version = await filled(alice)
      expect(await alice.ok('GET', v3('/room_keys/version'))).toMatchObject({
        version,
        algorithm: ALGORITHM,
        auth_data: AUTH,
        count: 3,
        etag: expect.any(String),
      })
    })
    error('knows none where there is none', async (server) => {
      await refusal((await server.user()).call('GET', v3('/room_keys/version')), 404, 'M_NOT_FOUND')
    })
  })
  operation(
    'getRoomKeysVersion',
    'GET /_matrix/client/v3/room_keys/version/{version}',
    ({ success, error }) => {
      success('tells of a backup', async (server) => {
        const alice = await server.user('alice')
        const version = await filled(alice)
        await newVersion(alice)
        expect(await alice.ok('GET', v3(`/room_keys/version/${version}`))).toMatchObject({
          version,
          algorithm: ALGORITHM,
          auth_data: AUTH,
          count: 3,
          etag: expect.any(String),
        })
      })
      error('knows no other versions, and none of others', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(
          bob.call('GET', v3(`/room_keys/version/${await newVersion(alice)}`)),
          404,
          'M_NOT_FOUND',
        )
      })
    },
  )
  operation(
    'putRoomKeysVersion',
    'PUT /_matrix/client/v3/room_keys/version/{version}',
    ({ success, error }) => {
      success('changes the auth data', async (server) => {
        const alice = await server.user('alice')
        const version = await newVersion(alice)
        const auth_data = { ...AUTH, public_key: 'changed' }
        await alice.ok('PUT', v3(`/room_keys/version/${version}`), {
          algorithm: ALGORITHM,
          auth_data,
          version,
        })
        expect((await alice.ok('GET', v3(`/room_keys/version/${version}`))).auth_data).toEqual(auth_data)
      })
      error('changes nothing else', async (server) => {
        const alice = await server.user('alice')
        const version = await newVersion(alice)
        const change = (to: string, body: object): Promise<Answer> =>
          alice.call('PUT', v3(`/room_keys/version/${to}`), { body })
        await refusal(
          change(version, { algorithm: 'm.other', auth_data: AUTH, version }),
          400,
          'M_INVALID_PARAM',
        )
        await refusal(change('9999', { algorithm: ALGORITHM, auth_data: AUTH }), 404, 'M_NOT_FOUND')
      })
    },
  )
  operation(
    'deleteRoomKeysVersion',
    'DELETE /_matrix/client/v3/room_keys/version/{version}',
    ({ success, error }) => {
      success('removes a backup and its keys', async (server) => {
        const alice = await server.user('alice')
        const version = await filled(alice)
        await alice.ok('DELETE', v3(`/room_keys/version/${version}`))
        await refusal(alice.call('GET', v3(`/room_keys/version/${version}`)), 404, 'M_NOT_FOUND')
        await refusal(get(alice, '', version), 404, 'M_NOT_FOUND')
      })
      error('knows no unknown version', async (server) => {
        await refusal((await server.user()).call('DELETE', v3('/room_keys/version/9999')), 404, 'M_NOT_FOUND')
      })
    },
  )
  const ONE = key('one')
  for (const [suffix, rest, template, body, whole] of [
    [
      'Keys',
      '',
      'keys',
      { rooms: { [ROOM]: { sessions: { s1: key('one') } } } },
      { rooms: { [ROOM]: { sessions: { s1: ONE } } } },
    ],
    ['KeysByRoomId', ROOM_PATH, 'keys/{roomId}', { sessions: { s1: key('one') } }, { sessions: { s1: ONE } }],
    ['KeyBySessionId', `${ROOM_PATH}/s1`, 'keys/{roomId}/{sessionId}', key('one'), ONE],
  ] as const) {
    const path = `/_matrix/client/v3/room_keys/${template}`
    operation(`putRoom${suffix}`, `PUT ${path}`, ({ success, error }) => {
      success('keeps keys, and says how many there are', async (server) => {
        const alice = await server.user('alice')
        const version = await newVersion(alice)
        const first = (await put(alice, rest, version, body)).body
        expect(first).toEqual({ count: 1, etag: expect.any(String) })
        expect((await get(alice, rest, version)).body).toMatchObject(whole)
        await put(alice, `${ROOM_PATH}/more`, version, key('more'))
        const again = (await put(alice, `${ROOM_PATH}/s1`, version, key('better', 0))).body
        expect(again.etag).not.toBe(first.etag)
        expect((await get(alice, `${ROOM_PATH}/s1`, version)).body.session_data.ciphertext).toBe('better')
      })
      error('refuses old versions, and says which is the newest', async (server) => {
        const alice = await server.user('alice')
        const old = await newVersion(alice)
        const current = await newVersion(alice)
        const answer = await refusal(put(alice, rest, old, body), 403, 'M_WRONG_ROOM_KEYS_VERSION')
        expect(answer.body.current_version).toBe(current)
        await refusal(
          put(alice, rest, current, { sessions: 7, rooms: 7 }),
          400,
          'M_BAD_JSON',
          'M_MISSING_PARAM',
          'M_INVALID_PARAM',
        )
      })
    })
    operation(`getRoom${suffix}`, `GET ${path}`, ({ success, error }) => {
      success('gives keys of this user', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const version = await filled(alice)
        const theirs = await newVersion(bob)
        await put(bob, `${ROOM_PATH}/s1`, theirs, key('of bob'))
        const here = { sessions: { s1: key('one'), s2: key('two') } }
        const there = { sessions: { s3: key('three') } }
        const all = {
          Keys: { rooms: { [ROOM]: here, '!other:example.org': there } },
          KeysByRoomId: here,
          KeyBySessionId: key('one'),
        }
        const { status, body: found } = await get(alice, rest, version)
        expect([status, found]).toEqual([200, all[suffix]])
      })
      error('knows no unknown version', async (server) => {
        await refusal(get(await server.user(), rest, '9999'), 404, 'M_NOT_FOUND')
      })
    })
    operation(`deleteRoom${suffix}`, `DELETE ${path}`, ({ success, error }) => {
      success('removes those keys and no others', async (server) => {
        const alice = await server.user('alice')
        const version = await filled(alice)
        const left = { Keys: 0, KeysByRoomId: 1, KeyBySessionId: 2 }[suffix]
        const before = (await alice.ok('GET', v3('/room_keys/version'))).etag
        const { body: done } = await remove(alice, rest, version)
        expect(done).toEqual({ count: left, etag: expect.any(String) })
        expect(done.etag).not.toBe(before)
        await refusal(get(alice, `${ROOM_PATH}/s1`, version), 404, 'M_NOT_FOUND')
        expect((await alice.ok('GET', v3('/room_keys/version'))).count).toBe(left)
      })
      error('knows no unknown version', async (server) => {
        await refusal(remove(await server.user(), rest, '9999'), 404, 'M_NOT_FOUND')
      })
    })
  }
})
