import { randomBytes } from 'node:crypto'
import { expect } from '@jest/globals'
import { signJson } from '../../src/core/event/sign.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { call, eventually, startSync } from '../harness/client.js'
import { answerJson } from '../harness/foreign-server.js'
import { startIdentityServer, type IdentityServer } from '../harness/identity-server.js'
import { testAuthority } from '../harness/node.js'
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
let identity: IdentityServer
const ownOnly = { ownOnly: true }
const freshAddress = (): string => `zoe-${randomBytes(4).toString('hex')}@home.example`
const credentials = (rest: object = {}): object => ({
  id_server: identity.name,
  id_access_token: identity.accessToken,
  medium: 'email',
  ...rest,
})
const invite = (user: User, roomId: string, rest: object): Promise<Answer> =>
  user.call('POST', inRoom(roomId, 'invite'), { body: credentials(rest) })
const membership = async (user: User, roomId: string, userId: string): Promise<string | undefined> => {
  const { status, body } = await user.call('GET', inRoom(roomId, `state/m.room.member/${enc(userId)}`))
  return status === 200 ? body.membership : undefined
}
// oxlint-disable-next-line typescript/no-explicit-any
const offers = async (user: User, roomId: string): Promise<any[]> =>
  (await user.ok('GET', inRoom(roomId, 'state'))).filter(
    ({ type }: { type: string }) => type === 'm.room.third_party_invite',
  )

/** An address that is nobody's, invited to a room of the user's. */
async function offered(alice: User): Promise<{ roomId: string; token: string; address: string }> {
  const address = freshAddress()
  const roomId = await createRoom(alice, { room_version: '11', name: 'Budget' })
  expect((await invite(alice, roomId, { address })).status).toBe(200)
  const { token } = identity.kept.find((one) => one.address === address)!
  return { roomId, token, address }
}

/** A server whose users take any invite. */
function takesInvites(peer: Peer): void {
  peer.server.answer = (request, response, path) => {
    if (!path.startsWith('/_matrix/federation/v2/invite/')) return false
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { event } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { event: JsonObject }
      // The keys that redaction keeps are all that an invite has, but for its reason and names.
      const content = event['content'] as JsonObject
      const kept = {
        membership: content['membership']!,
        third_party_invite: { signed: (content['third_party_invite'] as JsonObject)['signed']! },
      }
      const { unsigned: _unsigned, ...pdu } = event
      const { signatures } = signJson({ ...pdu, content: kept } as JsonObject, peer.server.signer)
      answerJson(response, { event: { ...event, signatures } })
    })
    return true
  }
}

const third = (roomId: string, sender: string, userId: string, signed: JsonObject): JsonObject => ({
  type: 'm.room.member',
  room_id: roomId,
  sender,
  state_key: userId,
  content: { membership: 'invite', third_party_invite: { display_name: 'zoe', signed } },
})

section(
  'Invites of addresses',
  'client-server-api/#third-party-invites',
  (operation) => {
    operation(
      'inviteBy3PID',
      'POST /_matrix/client/v3/rooms/{roomId}/invite',
      ({ success, error, authorisation }) => {
        success(
          'invites the user who has the address, without telling it to the identity server',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const address = freshAddress()
            identity.bound.set(address, bob.userId)
            const roomId = await createRoom(alice)
            const before = identity.kept.length
            const { status, body } = await invite(alice, roomId, { address: address.toUpperCase() })
            expect([status, body]).toEqual([200, {}])
            expect(await membership(alice, roomId, bob.userId)).toBe('invite')
            expect(identity.kept).toHaveLength(before)
            await bob.ok('POST', inRoom(roomId, 'join'))
          },
          ownOnly,
        )
        success(
          'keeps the invite of an address that is nobody’s, until somebody shows that it is theirs',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const { roomId, token, address } = await offered(alice)
            expect(identity.kept.at(-1)).toMatchObject({
              medium: 'email',
              address,
              room_id: roomId,
              sender: alice.userId,
              room_name: 'Budget',
            })
            expect(await offers(alice, roomId)).toEqual([
              expect.objectContaining({
                state_key: token,
                sender: alice.userId,
                content: {
                  display_name: 'somebody at…',
                  public_key: expect.any(String),
                  key_validity_url: expect.stringContaining('/pubkey/isvalid'),
                  public_keys: [expect.objectContaining({ public_key: expect.any(String) })],
                },
              }),
            ])
            await refusal(bob.call('POST', inRoom(roomId, 'join'), { body: {} }), 403, 'M_FORBIDDEN')
            const third_party_signed = { sender: alice.userId, ...identity.sign(bob.userId, token) }
            await bob.ok('POST', inRoom(roomId, 'join'), { third_party_signed })
            expect(await membership(alice, roomId, bob.userId)).toBe('join')
          },
          ownOnly,
        )
        error(
          'refuses what is no address, parts of one, and identity servers that are not trusted',
          async (server) => {
            const alice = await server.user('alice')
            const roomId = await createRoom(alice)
            await refusal(
              invite(alice, roomId, { address: 'Zoe <zoe@home.example>' }),
              400,
              'M_INVALID_PARAM',
            )
            await refusal(invite(alice, roomId, {}), 400, 'M_MISSING_PARAM')
            await refusal(alice.call('POST', inRoom(roomId, 'invite'), { body: {} }), 400, 'M_MISSING_PARAM')
            const { length } = identity.asked
            await refusal(
              invite(alice, roomId, { address: freshAddress(), id_server: 'id.elsewhere.example' }),
              403,
              'M_SERVER_NOT_TRUSTED',
            )
            await refusal(
              invite(alice, roomId, { address: freshAddress(), id_server: `${identity.name}/x` }),
              403,
              'M_SERVER_NOT_TRUSTED',
            )
            expect(identity.asked).toHaveLength(length)
            await refusal(
              invite(alice, roomId, { address: freshAddress(), id_access_token: 'wrong' }),
              403,
              'M_FORBIDDEN',
            )
          },
          ownOnly,
        )
        authorisation(
          'is for who may invite: nothing is asked of the identity server for others',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const roomId = await sharedRoom(alice, [bob])
            const { length } = identity.asked
            await refusal(invite(bob, roomId, { address: freshAddress() }), 403, 'M_FORBIDDEN')
            const foreign = await createRoom(alice)
            await refusal(invite(bob, foreign, { address: freshAddress() }), 403, 'M_FORBIDDEN')
            await refusal(invite(bob, '!none:localhost', { address: freshAddress() }), 403, 'M_FORBIDDEN')
            expect(identity.asked).toHaveLength(length)
          },
          ownOnly,
        )
      },
    )
    operation('joinRoomById', 'POST /_matrix/client/v3/rooms/{roomId}/join', ({ authorisation }) => {
      authorisation(
        'lets nobody in by the word for another, by another inviter, or when the key is revoked',
        async (server) => {
          const [alice, bob, eve] = [
            await server.user('alice'),
            await server.user('bob'),
            await server.user('eve'),
          ]
          const { roomId, token } = await offered(alice)
          const signed = identity.sign(bob.userId, token)
          const join = (user: User, third_party_signed: object): Promise<Answer> =>
            user.call('POST', inRoom(roomId, 'join'), { body: { third_party_signed } })
          const sender = alice.userId
          await refusal(join(eve, { sender, ...signed }), 400, 'M_INVALID_PARAM')
          await refusal(join(eve, { sender, ...signed, mxid: eve.userId }), 403, 'M_FORBIDDEN')
          await refusal(join(bob, { sender: eve.userId, ...signed }), 403, 'M_FORBIDDEN')
          await refusal(join(bob, { sender, ...identity.sign(bob.userId, 'another') }), 403, 'M_FORBIDDEN')
          identity.setKeyValid(false)
          await refusal(join(bob, { sender, ...signed }), 403, 'M_FORBIDDEN')
          identity.setKeyValid(true)
          const { status, body } = await join(bob, { sender, ...signed })
          expect([status, body]).toEqual([200, { room_id: roomId }])
          expect(await membership(alice, roomId, bob.userId)).toBe('join')
        },
        ownOnly,
      )
    })
    operation('createRoom', 'POST /_matrix/client/v3/createRoom', ({ success, error }) => {
      success(
        'invites addresses to the new room, which is there whatever becomes of them',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const [known, unknown] = [freshAddress(), freshAddress()]
          identity.bound.set(known, bob.userId)
          const roomId = await createRoom(alice, {
            invite_3pid: [
              credentials({ address: known }),
              credentials({ address: unknown }),
              credentials({ address: freshAddress(), id_access_token: 'wrong' }),
            ],
          })
          expect(await membership(alice, roomId, bob.userId)).toBe('invite')
          expect(await offers(alice, roomId)).toHaveLength(1)
        },
        ownOnly,
      )
      error(
        'makes no room for an address at an identity server that is not trusted',
        async (server) => {
          const alice = await server.user('alice')
          const invite_3pid = [credentials({ address: freshAddress(), id_server: 'id.elsewhere.example' })]
          await refusal(
            alice.call('POST', v3('/createRoom'), { body: { invite_3pid } }),
            403,
            'M_SERVER_NOT_TRUSTED',
          )
          expect((await alice.ok('GET', v3('/joined_rooms'))).joined_rooms).toEqual([])
        },
        ownOnly,
      )
    })
    const forms = [
      ['bind3PID', '/account/3pid/bind', (given: object) => given],
      ['post3PIDs', '/account/3pid', (given: object) => ({ three_pid_creds: given })],
    ] as const
    for (const [id, path, wrapped] of forms) {
      operation(
        id,
        `POST /_matrix/client/v3${path}`,
        ({ success, error }) => {
          const bind = (user: User, rest: object): Promise<Answer> =>
            user.call('POST', v3(path), {
              body: wrapped({ ...credentials(), client_secret: 'secret', ...rest }),
            })
          success(
            'publishes an address that was proved there; unbinding withdraws it in the name of the server',
            async (server) => {
              const alice = await server.user('alice')
              const address = freshAddress()
              identity.sessions.set('proved', { medium: 'email', address })
              expect((await bind(alice, { sid: 'proved' })).status).toBe(200)
              expect(identity.bound.get(address)).toBe(alice.userId)
              const body = { medium: 'email', address }
              expect(await alice.ok('POST', v3('/account/3pid/unbind'), body)).toEqual({
                id_server_unbind_result: 'success',
              })
              expect(identity.bound.has(address)).toBe(false)
              expect(identity.withdrawals.at(-1)).toMatch(
                new RegExp(`^X-Matrix origin="${server.serverName}",destination="${identity.name}"`),
              )
              expect(await alice.ok('POST', v3('/account/3pid/unbind'), body)).toEqual({
                id_server_unbind_result: 'no-support',
              })
            },
            ownOnly,
          )
          error(
            'binds nothing that was not proved, and nothing elsewhere',
            async (server) => {
              const alice = await server.user('alice')
              await refusal(bind(alice, { sid: 'unknown' }), 400, 'M_THREEPID_AUTH_FAILED')
              await refusal(
                bind(alice, { sid: 'x', id_server: 'elsewhere.example' }),
                403,
                'M_SERVER_NOT_TRUSTED',
              )
            },
            ownOnly,
          )
        },
        {
          sample: {
            body: wrapped({
              client_secret: 's',
              sid: '1',
              id_server: 'identity.example',
              id_access_token: 't',
            }),
          },
        },
      )
    }
    operation(
      'exchangeThirdPartyInvite',
      'PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}',
      ({ success, authorisation }) => {
        success(
          'makes the invite of an address one of the user whose server asks',
          withPeer(authority, async (server, peer) => {
            takesInvites(peer)
            const alice = await server.user('alice')
            const { roomId, token } = await offered(alice)
            const zoe = peer.user()
            const body = third(roomId, alice.userId, zoe, identity.sign(zoe, token))
            const path = fed(`/exchange_third_party_invite/${enc(roomId)}`)
            // Nobody of the other server is in the room yet: that is what the invite is for.
            expect(await peer.ok('PUT', path, { body })).toEqual({})
            expect(await membership(alice, roomId, zoe)).toBe('invite')
          }),
          ownOnly,
        )
        authorisation(
          'wants the word of the identity server for that user',
          withPeer(authority, async (server, peer) => {
            takesInvites(peer)
            const alice = await server.user('alice')
            const { roomId, token } = await offered(alice)
            const [zoe, eve] = [peer.user(), peer.user()]
            const path = fed(`/exchange_third_party_invite/${enc(roomId)}`)
            const signed = identity.sign(zoe, token)
            for (const body of [
              third(roomId, alice.userId, eve, signed),
              third(roomId, alice.userId, eve, { ...signed, mxid: eve }),
            ])
              expect([400, 403]).toContain((await peer.call('PUT', path, { body })).status)
            expect(await membership(alice, roomId, eve)).toBeUndefined()
          }),
          ownOnly,
        )
      },
      { auth: 'signature' },
    )
    for (const [id, method] of [
      ['onBindThirdPartyIdentifier', 'PUT'],
      ['onBindThirdPartyIdentifierByPost', 'POST'],
    ] as const)
      operation(
        id,
        `${method} /_matrix/federation/v1/3pid/onbind`,
        ({ success }) => {
          success(
            'invites the user whose address was invited',
            async (server) => {
              const [alice, bob] = [await server.user('alice'), await server.user('bob')]
              const { roomId, token, address } = await offered(alice)
              const sync = await startSync(bob)
              const about = { medium: 'email', address, mxid: bob.userId }
              const signed = identity.sign(bob.userId, token)
              const invites = [{ ...about, room_id: roomId, sender: alice.userId, signed }]
              const answer = await call(server.url, method, fed('/3pid/onbind'), {
                body: { ...about, invites },
              })
              expect([answer.status, answer.body]).toEqual([200, {}])
              await sync.until('the invite', ({ rooms }) => rooms.invite?.[roomId])
              expect(await eventually('the invite', () => membership(alice, roomId, bob.userId))).toBe(
                'invite',
              )
            },
            ownOnly,
          )
        },
        { auth: 'none' },
      )
  },
  async () => {
    identity = await startIdentityServer(authority)
    return {
      authority,
      config: { identity_servers: { trusted: [identity.name] } },
      dispose: () => identity.close(),
    }
  },
)
