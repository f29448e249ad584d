import { expect } from '@jest/globals'
import sharp from 'sharp'
import { signaturesOf, signingInput } from '../../src/core/event/sign.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { publicKey, verifySignature } from '../../src/platform/ed25519.js'
import { call } from '../harness/client.js'
import { testAuthority } from '../harness/node.js'
import { newCrossSigningKeys } from '../harness/cross-signing.js'
import { newPicture } from '../harness/picture.js'
import { fed, withPeer, type Peer } from '../harness/peer.js'
import {
  createRoom,
  enc,
  inRoom,
  refusal,
  section,
  sharedRoom,
  v3,
  type Answer,
  type User,
} from '../harness/section.js'

const authority = testAuthority()
const signed = { auth: 'signature' } as const
const everybody = { auth: 'none' } as const
const WELL_KNOWN = 'delegated.example:443'
const noText = 'the definitions have no form for a file in parts'
/** The parts of an answer in parts: their headers, and what is behind them. */
function partsOf({ headers, bytes }: Answer): { readonly headers: string; readonly content: Buffer }[] {
  const boundary = /boundary="?([^";]+)/.exec(headers.get('content-type') ?? '')![1]!
  // One character for each byte.
  return bytes
    .toString('latin1')
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((part) => {
      const end = part.indexOf('\r\n\r\n')
      return {
        headers: part.slice(0, end),
        content: Buffer.from(part.slice(end + 4, -2), 'latin1'),
      }
    })
}
const base64 = (letter: string): string => letter.repeat(43)
const deviceKeys = (user: User): object => ({
  user_id: user.userId,
  device_id: user.deviceId,
  algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
  keys: { [`curve25519:${user.deviceId}`]: base64('A'), [`ed25519:${user.deviceId}`]: base64('B') },
  signatures: { [user.userId]: { [`ed25519:${user.deviceId}`]: base64('S') } },
})
/** Whether a document of keys bears the signature of the first of them. */
function isSigned(
  document: JsonObject & { server_name: string; verify_keys: Record<string, { key: string }> },
): boolean {
  const [keyId, { key }] = Object.entries(document.verify_keys)[0]!
  const signature = signaturesOf(document, document.server_name).get(keyId)
  return signature !== undefined && verifySignature(publicKey(key)!, signingInput(document), signature)
}

section(
  'Federation: servers and their keys',
  'server-server-api/#server-discovery',
  (operation) => {
    operation(
      'getWellKnown',
      'GET /.well-known/matrix/server',
      ({ success }) => {
        success('says where the server is', async (server) => {
          const { status, body } = await call(server.url, 'GET', '/.well-known/matrix/server')
          expect([status, body]).toEqual([200, { 'm.server': WELL_KNOWN }])
        })
      },
      everybody,
    )
    operation(
      'getVersion',
      'GET /_matrix/federation/v1/version',
      ({ success }) => {
        success('says what it runs', async (server) => {
          const { body } = await call(server.url, 'GET', fed('/version'))
          expect(body).toEqual({ server: { name: 'Chancery', version: expect.stringMatching(/^\d+\.\d+/) } })
        })
      },
      everybody,
    )
    operation(
      'getServerKey',
      'GET /_matrix/key/v2/server',
      ({ success }) => {
        success('gives its keys, signed with them', async (server) => {
          const { body } = await call(server.url, 'GET', '/_matrix/key/v2/server')
          expect(body).toMatchObject({ server_name: server.serverName, old_verify_keys: {} })
          expect(body.valid_until_ts).toBeGreaterThan(Date.now())
          expect(isSigned(body)).toBe(true)
        })
      },
      everybody,
    )
    operation(
      'perspectivesKeyQuery',
      'GET /_matrix/key/v2/query/{serverName}',
      ({ success }) => {
        success(
          'vouches for the keys of another server, and of none that it cannot reach',
          withPeer(authority, async (server, peer) => {
            const ask = (name: string): Promise<Answer> =>
              call(server.url, 'GET', `/_matrix/key/v2/query/${name}`)
            const [document] = (await ask(peer.server.name)).body.server_keys
            expect(document.server_name).toBe(peer.server.name)
            expect(isSigned(document)).toBe(true)
            expect(Object.keys(document.signatures).toSorted()).toEqual(
              [peer.server.name, server.serverName].toSorted(),
            )
            expect((await ask('localhost:1')).body).toEqual({ server_keys: [] })
          }),
        )
      },
      everybody,
    )
    operation(
      'bulkPerspectivesKeyQuery',
      'POST /_matrix/key/v2/query',
      ({ success, error }) => {
        const ask = (url: string, body: object): Promise<Answer> =>
          call(url, 'POST', '/_matrix/key/v2/query', { body })
        success(
          'vouches for the keys of several servers',
          withPeer(authority, async (server, peer) => {
            const { body } = await ask(server.url, {
              server_keys: { [peer.server.name]: {}, 'localhost:1': {} },
            })
            expect(body.server_keys).toHaveLength(1)
            expect(body.server_keys[0].server_name).toBe(peer.server.name)
            expect(isSigned(body.server_keys[0])).toBe(true)
            expect(Object.keys(body.server_keys[0].signatures)).toContain(server.serverName)
          }),
        )
        error('wants a map of servers', async (server) => {
          await refusal(ask(server.url, {}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
        })
      },
      everybody,
    )
  },
  { authority, config: { federation: { well_known_server: WELL_KNOWN } } },
)

section(
  'Federation: queries',
  'server-server-api/#querying-for-information',
  (operation) => {
    operation(
      'queryRoomDirectory',
      'GET /_matrix/federation/v1/query/directory',
      ({ success, error }) => {
        const ask = (peer: Peer, alias: string): Promise<Answer> =>
          peer.call('GET', fed('/query/directory'), { query: `room_alias=${enc(alias)}` })
        success(
          'says which room an alias means',
          withPeer(authority, async (server, peer) => {
            const name = `fed-${Date.now().toString(36)}`
            const roomId = await sharedRoom(await server.user('alice'), [], { room_alias_name: name })
            const { body } = await ask(peer, `#${name}:${server.serverName}`)
            expect(body).toEqual({ room_id: roomId, servers: [server.serverName] })
          }),
        )
        error(
          'knows no unknown alias, and none of other servers',
          withPeer(authority, async (server, peer) => {
            await refusal(ask(peer, `#none:${server.serverName}`), 404, 'M_NOT_FOUND')
            const { status } = await ask(peer, '#x:elsewhere.example')
            expect([400, 404]).toContain(status)
          }),
        )
      },
      signed,
    )
    operation(
      'queryProfile',
      'GET /_matrix/federation/v1/query/profile',
      ({ success, error }) => {
        const ask = (peer: Peer, userId: string, rest = ''): Promise<Answer> =>
          peer.call('GET', fed('/query/profile'), { query: `user_id=${enc(userId)}${rest}` })
        success(
          'gives a profile, or one field of it',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const profile = { displayname: 'Alice A', avatar_url: 'mxc://a/b' }
            for (const [field, value] of Object.entries(profile))
              await alice.ok('PUT', v3(`/profile/${enc(alice.userId)}/${field}`), { [field]: value })
            expect((await ask(peer, alice.userId)).body).toEqual(profile)
            expect((await ask(peer, alice.userId, '&field=displayname')).body).toEqual({
              displayname: 'Alice A',
            })
          }),
        )
        error(
          'knows no unknown user',
          withPeer(authority, async (server, peer) => {
            await refusal(ask(peer, `@none:${server.serverName}`), 404, 'M_NOT_FOUND')
            expect([400, 404]).toContain((await ask(peer, '@x:elsewhere.example')).status)
          }),
        )
      },
      signed,
    )
    operation(
      'queryInfo',
      'GET /_matrix/federation/v1/query/{queryType}',
      ({ success, error }) => {
        success(
          'answers the types of query that the specification knows',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const name = `type-${Date.now().toString(36)}`
            const roomId = await sharedRoom(alice, [], { room_alias_name: name })
            await alice.ok('PUT', v3(`/profile/${enc(alice.userId)}/displayname`), { displayname: 'Alice A' })
            const ask = (type: string, query: string): Promise<Answer> =>
              peer.call('GET', fed(`/query/${type}`), { query })
            const room = await ask('directory', `room_alias=${enc(`#${name}:${server.serverName}`)}`)
            expect(room.body).toEqual({ room_id: roomId, servers: [server.serverName] })
            const profile = await ask('profile', `user_id=${enc(alice.userId)}`)
            expect(profile.body).toEqual({ displayname: 'Alice A' })
          }),
        )
        error(
          'answers no queries of other types',
          withPeer(authority, async (_, peer) => {
            await refusal(peer.call('GET', fed('/query/org.example.type')), 404, 'M_UNRECOGNIZED')
          }),
        )
      },
      signed,
    )
    operation(
      'exchangeOpenIdToken',
      'GET /_matrix/federation/v1/openid/userinfo',
      ({ success, authorisation }) => {
        const ask = (url: string, query: Record<string, string>): Promise<Answer> =>
          call(url, 'GET', fed('/openid/userinfo'), { query })
        success('says whose token it is', async (server) => {
          const alice = await server.user('alice')
          const path = v3(`/user/${enc(alice.userId)}/openid/request_token`)
          const { access_token: token } = await alice.ok('POST', path)
          expect((await ask(server.url, { access_token: token })).body).toEqual({ sub: alice.userId })
        })
        authorisation('knows no other tokens', async (server) => {
          const alice = await server.user('alice')
          await refusal(ask(server.url, { access_token: alice.token }), 401, 'M_UNKNOWN_TOKEN')
          await refusal(ask(server.url, {}), 401, 'M_MISSING_TOKEN')
        })
      },
      everybody,
    )
    for (const [id, method] of [
      ['getPublicRooms', 'GET'],
      ['queryPublicRooms', 'POST'],
    ] as const) {
      operation(
        id,
        `${method} /_matrix/federation/v1/publicRooms`,
        ({ success, error }) => {
          success(
            'lists public rooms',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const name = `Hall ${Date.now()}`
              const roomId = await sharedRoom(alice, [], { visibility: 'public', name, topic: 'The topic' })
              const hidden = await sharedRoom(alice)
              const { body } = await peer.call(
                method,
                fed('/publicRooms'),
                method === 'GET'
                  ? { query: 'limit=500' }
                  : { body: { filter: { generic_search_term: name }, limit: 500 } },
              )
              expect(body.chunk).toContainEqual(
                expect.objectContaining({
                  room_id: roomId,
                  name,
                  topic: 'The topic',
                  num_joined_members: 1,
                  world_readable: false,
                  guest_can_join: false,
                  join_rule: 'public',
                }),
              )
              const ids = body.chunk.map((entry: { room_id: string }) => entry.room_id)
              expect(ids).not.toContain(hidden)
              expect(body.total_room_count_estimate).toBeGreaterThanOrEqual(1)
            }),
          )
          error(
            'wants limits that are some',
            withPeer(authority, async (_, peer) => {
              const options = method === 'GET' ? { query: 'limit=x' } : { body: { limit: 'x' } }
              await refusal(
                peer.call(method, fed('/publicRooms'), options),
                400,
                'M_INVALID_PARAM',
                'M_BAD_JSON',
              )
            }),
          )
        },
        signed,
      )
    }
    operation(
      'getSpaceHierarchy',
      'GET /_matrix/federation/v1/hierarchy/{roomId}',
      ({ success, authorisation }) => {
        success(
          'gives a space and what is in it, and names what the server may not see',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const space = await sharedRoom(alice, [], {
              creation_content: { type: 'm.space' },
              name: 'Space',
            })
            const open = await sharedRoom(alice, [], { name: 'Open' })
            const secret = await createRoom(alice)
            for (const child of [open, secret])
              await alice.ok('PUT', inRoom(space, `state/m.space.child/${enc(child)}`), {
                via: [server.serverName],
              })
            const { body } = await peer.call('GET', fed(`/hierarchy/${enc(space)}`))
            expect(body.room).toMatchObject({
              room_id: space,
              room_type: 'm.space',
              name: 'Space',
              join_rule: 'public',
              room_version: expect.any(String),
            })
            expect(body.room.children_state).toHaveLength(2)
            expect(body.children).toEqual([
              expect.objectContaining({
                room_id: open,
                name: 'Open',
                num_joined_members: 1,
                join_rule: 'public',
                room_version: expect.any(String),
              }),
            ])
            expect(body.inaccessible_children).toEqual([secret])
          }),
        )
        authorisation(
          'tells nothing of rooms that the server may not see',
          withPeer(authority, async (server, peer) => {
            const secret = await createRoom(await server.user('alice'))
            await refusal(peer.call('GET', fed(`/hierarchy/${enc(secret)}`)), 404, 'M_NOT_FOUND')
          }),
        )
      },
      signed,
    )
    operation(
      'getUserDevices',
      'GET /_matrix/federation/v1/user/devices/{userId}',
      ({ success, error }) => {
        success(
          'lists the devices of a user with their keys',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            await alice.ok('POST', v3('/keys/upload'), { device_keys: deviceKeys(alice) })
            await peer.join(await sharedRoom(alice), peer.user())
            const { body } = await peer.call('GET', fed(`/user/devices/${enc(alice.userId)}`))
            expect(body).toMatchObject({ user_id: alice.userId, stream_id: expect.any(Number) })
            expect(body.devices).toEqual([
              expect.objectContaining({
                device_id: alice.deviceId,
                keys: expect.objectContaining(deviceKeys(alice)),
              }),
            ])
          }),
        )
        error(
          'is for users of this server',
          withPeer(authority, async (_, peer) => {
            const { status } = await peer.call('GET', fed(`/user/devices/${enc('@x:elsewhere.example')}`))
            expect([400, 403, 404]).toContain(status)
          }),
        )
      },
      signed,
    )
    operation(
      'queryUserEncryptionKeys',
      'POST /_matrix/federation/v1/user/keys/query',
      ({ success, error }) => {
        success(
          'gives the keys of devices',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            await alice.ok('POST', v3('/keys/upload'), { device_keys: deviceKeys(alice) })
            const keys = newCrossSigningKeys(alice)
            await alice.ok('POST', v3('/keys/device_signing/upload'), keys)
            const { body } = await peer.call('POST', fed('/user/keys/query'), {
              body: { device_keys: { [alice.userId]: [] } },
            })
            expect(body).toEqual({
              device_keys: {
                [alice.userId]: { [alice.deviceId]: expect.objectContaining(deviceKeys(alice)) },
              },
              master_keys: { [alice.userId]: expect.objectContaining(keys.master_key) },
              self_signing_keys: { [alice.userId]: expect.objectContaining(keys.self_signing_key) },
            })
          }),
        )
        error(
          'wants a map',
          withPeer(authority, async (_, peer) => {
            await refusal(
              peer.call('POST', fed('/user/keys/query'), { body: {} }),
              400,
              'M_MISSING_PARAM',
              'M_BAD_JSON',
            )
          }),
        )
      },
      signed,
    )
    operation(
      'claimUserEncryptionKeys',
      'POST /_matrix/federation/v1/user/keys/claim',
      ({ success, error }) => {
        success(
          'gives each key once',
          withPeer(authority, async (server, peer) => {
            const alice = await server.user('alice')
            const key = {
              key: base64('K'),
              signatures: { [alice.userId]: { [`ed25519:${alice.deviceId}`]: base64('S') } },
            }
            const id = 'signed_curve25519:AAA'
            await alice.ok('POST', v3('/keys/upload'), {
              device_keys: deviceKeys(alice),
              one_time_keys: { [id]: key },
            })
            const claim = async (): Promise<unknown> =>
              (
                await peer.ok('POST', fed('/user/keys/claim'), {
                  body: { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } },
                })
              ).one_time_keys[alice.userId]?.[alice.deviceId]
            expect(await claim()).toEqual({ [id]: key })
            expect((await claim()) ?? {}).toEqual({})
          }),
        )
        error(
          'wants a map',
          withPeer(authority, async (_, peer) => {
            await refusal(
              peer.call('POST', fed('/user/keys/claim'), { body: {} }),
              400,
              'M_MISSING_PARAM',
              'M_BAD_JSON',
            )
          }),
        )
      },
      signed,
    )
    for (const [id, kind, query] of [
      ['getContent', 'download', ''],
      ['getContentThumbnail', 'thumbnail', 'width=32&height=32&method=crop'],
    ] as const) {
      operation(
        id,
        `GET /_matrix/federation/v1/media/${kind}/{mediaId}`,
        ({ success, error }) => {
          success(
            'gives a file behind what is known of it',
            withPeer(authority, async (server, peer) => {
              const alice = await server.user('alice')
              const picture = await newPicture()
              const { body: uploaded } = await alice.call('POST', '/_matrix/media/v3/upload', {
                body: picture.bytes,
                headers: { 'content-type': 'image/png' },
              })
              const mediaId = (uploaded.content_uri as string).split('/').at(-1)!
              const answer = await peer.call('GET', fed(`/media/${kind}/${mediaId}`), {
                query,
                uncheckedBecause: noText,
              })
              expect([answer.status, answer.headers.get('content-type')]).toEqual([
                200,
                expect.stringMatching(/^multipart\/mixed; *boundary=/),
              ])
              const [known, file, ...more] = partsOf(answer)
              expect(more).toEqual([])
              expect(known!.headers).toMatch(/content-type: application\/json/i)
              expect(JSON.parse(known!.content.toString())).toEqual({})
              expect(file!.headers).toMatch(/content-type: image\/png/i)
              if (kind === 'download') expect(file!.content.equals(picture.bytes)).toBe(true)
              else {
                const { width, height } = await sharp(file!.content).metadata()
                expect([width, height]).toEqual([32, 32])
                expect(await picture.isShownBy(file!.content)).toBe(true)
              }
            }),
          )
          error(
            'has no unknown file',
            withPeer(authority, async (_, peer) => {
              await refusal(peer.call('GET', fed(`/media/${kind}/none`), { query }), 404, 'M_NOT_FOUND')
            }),
          )
        },
        signed,
      )
    }
    for (const [id, method] of [
      ['onBindThirdPartyIdentifier', 'PUT'],
      ['onBindThirdPartyIdentifierByPost', 'POST'],
    ] as const) {
      operation(
        id,
        `${method} /_matrix/federation/v1/3pid/onbind`,
        ({ error }) => {
          error('wants to know who', async (server) => {
            await refusal(
              call(server.url, method, fed('/3pid/onbind'), { body: {} }),
              400,
              'M_MISSING_PARAM',
              'M_BAD_JSON',
            )
          })
        },
        everybody,
      )
    }
    operation(
      'exchangeThirdPartyInvite',
      'PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}',
      ({ error }) => {
        error(
          'takes no invite that is none',
          withPeer(authority, async (server, peer) => {
            const roomId = await sharedRoom(await server.user('alice'))
            const path = fed(`/exchange_third_party_invite/${enc(roomId)}`)
            const event = {
              type: 'm.room.member',
              sender: peer.user(),
              state_key: peer.user(),
              room_id: roomId,
              content: { membership: 'invite' },
            }
            expect([400, 403, 404]).toContain((await peer.call('PUT', path, { body: event })).status)
          }),
        )
      },
      signed,
    )
  },
  { authority },
)
