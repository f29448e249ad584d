import { expect } from '@jest/globals'
import {
  startAppservice,
  type TestAnswer,
  type TestAppservice,
} from '../../src/services/appservices/testing-appservice.js'
import { call, type Answer, type CallOptions } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { freePort } from '../../scripts/free-port.mjs'
import { createRoom, enc, refusal, section, v3 } from '../harness/section.js'

const PORT = await freePort()
const TOKEN = 'the-token-of-the-bridge'
const SILENT_TOKEN = 'the-token-of-the-one-that-is-told-nothing'
const BRIDGE = {
  id: 'bridge',
  url: `http://127.0.0.1:${PORT}`,
  as_token: TOKEN,
  hs_token: 'the-token-of-the-homeserver',
  sender_localpart: 'bridgebot',
  protocols: ['irc', 'gone'],
  namespaces: { users: [{ exclusive: true, regex: '@bridged_.*' }], aliases: [], rooms: [] },
}
const SILENT = {
  ...BRIDGE,
  id: 'silent',
  url: null,
  as_token: SILENT_TOKEN,
  sender_localpart: 'silentbot',
  protocols: [],
}

const as = (server: Homeserver, method: string, path: string, options: CallOptions = {}): Promise<Answer> =>
  call(server.url, method, path, { token: TOKEN, ...options })

/** Runs something while the bridge answers. */
async function whileBridged<T>(
  answers: Readonly<Record<string, TestAnswer>>,
  run: (bridge: TestAppservice) => Promise<T>,
): Promise<T> {
  const bridge = await startAppservice(PORT)
  bridge.answer(({ path }) => answers[path.replace('/_matrix/app/v1', '')])
  try {
    return await run(bridge)
  } finally {
    await bridge.close()
  }
}

const PROTOCOL = {
  user_fields: ['network', 'nickname'],
  location_fields: ['network', 'channel'],
  icon: 'mxc://example.org/icon',
  field_types: { network: { regexp: '[a-z]+', placeholder: 'irc.example.org' } },
  instances: [{ network_id: 'libera', desc: 'Libera', fields: { network: 'libera.chat' } }],
}
const KNOWN = { ...PROTOCOL, instances: [{ ...PROTOCOL.instances[0], instance_id: expect.any(String) }] }

section(
  'Application services',
  'application-service-api/',
  (operation) => {
    operation(
      'pingAppservice',
      'POST /_matrix/client/v1/appservice/{appserviceId}/ping',
      ({ success, error, authorisation }) => {
        const path = (id: string): string => `/_matrix/client/v1/appservice/${id}/ping`
        success(
          'calls the application service with its own token, and says how long that took',
          async (server) => {
            await whileBridged({}, async (bridge) => {
              const answer = await as(server, 'POST', path('bridge'), { body: { transaction_id: 'meow' } })
              expect([answer.status, answer.body]).toEqual([200, { duration_ms: expect.any(Number) }])
              const ping = bridge.got.find((one) => one.path === '/_matrix/app/v1/ping')
              expect([ping?.method, JSON.parse(ping?.text ?? '')]).toEqual([
                'POST',
                { transaction_id: 'meow' },
              ])
              expect(ping?.authorization).toBe(`Bearer ${BRIDGE.hs_token}`)
            })
          },
          { ownOnly: true },
        )
        error(
          'says why an application service is not reached',
          async (server) => {
            const ping = (id: string, token: string): Promise<Answer> =>
              as(server, 'POST', path(id), { token, body: {} })
            await refusal(ping('silent', SILENT_TOKEN), 400, 'M_URL_NOT_SET')
            await refusal(ping('bridge', TOKEN), 502, 'M_CONNECTION_FAILED')
            const refused = { status: 403, body: { errcode: 'M_FORBIDDEN' } }
            await whileBridged({ '/ping': refused }, async () => {
              const { body } = await refusal(ping('bridge', TOKEN), 502, 'M_BAD_STATUS')
              expect([body.status, JSON.parse(body.body as string)]).toEqual([403, refused.body])
            })
          },
          { ownOnly: true },
        )
        authorisation(
          'is for the application service itself',
          async (server) => {
            const alice = await server.user('alice')
            await refusal(alice.call('POST', path('bridge'), { body: {} }), 403, 'M_FORBIDDEN')
            await refusal(as(server, 'POST', path('silent'), { body: {} }), 403, 'M_FORBIDDEN')
          },
          { ownOnly: true },
        )
      },
    )

    operation(
      'updateAppserviceRoomDirectoryVisibility',
      'PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId}',
      ({ success, error, authorisation }) => {
        const path = (roomId: string, network = 'libera'): string =>
          v3(`/directory/list/appservice/${network}/${enc(roomId)}`)
        const list = async (server: Homeserver, body: object): Promise<string[]> => {
          const alice = await server.user('alice')
          const { chunk } = await alice.ok('POST', v3('/publicRooms'), body)
          return (chunk as { room_id: string }[]).map((room) => room.room_id)
        }
        const bridgedRoom = async (server: Homeserver): Promise<string> => {
          const { status, body } = await as(server, 'POST', v3('/createRoom'), {
            body: { preset: 'public_chat' },
          })
          expect(status).toBe(200)
          return body.room_id as string
        }
        success(
          'shows a room in the list of its network, in that of all networks, and in no other',
          async (server) => {
            const roomId = await bridgedRoom(server)
            const put = (visibility: string): Promise<Answer> =>
              as(server, 'PUT', path(roomId), { body: { visibility } })
            expect((await put('public')).status).toBe(200)
            expect(await list(server, { third_party_instance_id: 'bridge|libera' })).toContain(roomId)
            expect(await list(server, { include_all_networks: true })).toContain(roomId)
            expect(await list(server, {})).not.toContain(roomId)
            expect(await list(server, { third_party_instance_id: 'bridge|other' })).not.toContain(roomId)
            expect(await list(server, { third_party_instance_id: 'silent|libera' })).not.toContain(roomId)
            expect((await put('private')).status).toBe(200)
            expect(await list(server, { third_party_instance_id: 'bridge|libera' })).not.toContain(roomId)
            expect(await list(server, { include_all_networks: true })).not.toContain(roomId)
          },
          { ownOnly: true },
        )
        error(
          'wants to be told public or private',
          async (server) => {
            const roomId = await bridgedRoom(server)
            const put = (body: object): Promise<Answer> => as(server, 'PUT', path(roomId), { body })
            await refusal(put({}), 400, 'M_MISSING_PARAM', 'M_BAD_JSON')
            await refusal(put({ visibility: 'secret' }), 400, 'M_INVALID_PARAM', 'M_BAD_JSON')
          },
          { ownOnly: true },
        )
        authorisation(
          'is for application services, of rooms that they are in',
          async (server) => {
            const alice = await server.user('alice')
            const roomId = await createRoom(alice, { preset: 'public_chat' })
            const body = { visibility: 'public' }
            await refusal(alice.call('PUT', path(roomId), { body }), 403, 'M_FORBIDDEN')
            await refusal(as(server, 'PUT', path(roomId), { body }), 403, 'M_FORBIDDEN')
            await refusal(as(server, 'PUT', path('!none:example.org'), { body }), 403, 'M_FORBIDDEN')
          },
          { ownOnly: true },
        )
      },
    )

    operation('getProtocols', 'GET /_matrix/client/v3/thirdparty/protocols', ({ success }) => {
      success(
        'gives what bridges say of their protocols, and nothing of a bridge that has no answer',
        async (server) => {
          const alice = await server.user('alice')
          await whileBridged({ '/thirdparty/protocol/irc': { status: 200, body: PROTOCOL } }, async () => {
            expect(await alice.ok('GET', v3('/thirdparty/protocols'))).toEqual({ irc: KNOWN })
          })
          expect(await alice.ok('GET', v3('/thirdparty/protocols'))).toEqual({})
        },
        { ownOnly: true },
      )
    })

    operation(
      'getProtocolMetadata',
      'GET /_matrix/client/v3/thirdparty/protocol/{protocol}',
      ({ success, error }) => {
        success(
          'gives what a bridge says of a protocol',
          async (server) => {
            const alice = await server.user('alice')
            await whileBridged({ '/thirdparty/protocol/irc': { status: 200, body: PROTOCOL } }, async () => {
              expect(await alice.ok('GET', v3('/thirdparty/protocol/irc'))).toEqual(KNOWN)
            })
          },
          { ownOnly: true },
        )
        error(
          'knows no protocol that no bridge has or describes',
          async (server) => {
            const alice = await server.user('alice')
            await whileBridged(
              { '/thirdparty/protocol/irc': { status: 200, body: ['nonsense'] } },
              async () => {
                for (const name of ['irc', 'gone', 'none'])
                  await refusal(alice.call('GET', v3(`/thirdparty/protocol/${name}`)), 404, 'M_NOT_FOUND')
              },
            )
          },
          { ownOnly: true },
        )
      },
    )

    const location = { alias: '#bridged_tea:localhost', protocol: 'irc', fields: { channel: '#tea' } }
    const user = { userid: '@bridged_bob:localhost', protocol: 'irc', fields: { nickname: 'bob' } }
    for (const [kind, byProtocol, byId, found, name] of [
      ['location', 'queryLocationByProtocol', 'queryLocationByAlias', location, 'alias'],
      ['user', 'queryUserByProtocol', 'queryUserByID', user, 'userid'],
    ] as const) {
      operation(byProtocol, `GET /_matrix/client/v3/thirdparty/${kind}/{protocol}`, ({ success, error }) => {
        success(
          'asks the bridges of the protocol with the fields, and passes over what is no answer',
          async (server) => {
            const alice = await server.user('alice')
            const body = [found, { ...found, protocol: 7 }, 'nonsense']
            await whileBridged({ [`/thirdparty/${kind}/irc`]: { status: 200, body } }, async (bridge) => {
              const answer = await alice.call('GET', v3(`/thirdparty/${kind}/irc`), {
                query: { network: 'libera & co', access_token: alice.token },
              })
              expect([answer.status, answer.body]).toEqual([200, [found]])
              const asked = bridge.got.find(({ path }) => path.endsWith(`/thirdparty/${kind}/irc`))
              expect([...(asked?.query ?? [])]).toEqual([['network', 'libera & co']])
            })
          },
          { ownOnly: true },
        )
        error(
          'finds nothing where no bridge does',
          async (server) => {
            const alice = await server.user('alice')
            await refusal(alice.call('GET', v3(`/thirdparty/${kind}/irc`)), 404, 'M_NOT_FOUND')
            await whileBridged({ [`/thirdparty/${kind}/irc`]: { status: 200, body: [] } }, async () => {
              await refusal(alice.call('GET', v3(`/thirdparty/${kind}/irc`)), 404, 'M_NOT_FOUND')
            })
          },
          { ownOnly: true },
        )
      })
      operation(byId, `GET /_matrix/client/v3/thirdparty/${kind}`, ({ success, error }) => {
        const path = v3(`/thirdparty/${kind}`)
        const id = Object.values(found)[0] as string
        success(
          'says what is behind an id',
          async (server) => {
            const alice = await server.user('alice')
            await whileBridged(
              { [`/thirdparty/${kind}`]: { status: 200, body: [found] } },
              async (bridge) => {
                const answer = await alice.call('GET', path, { query: { [name]: id } })
                expect([answer.status, answer.body]).toEqual([200, [found]])
                const asked = bridge.got.find((one) => one.path.endsWith(`/thirdparty/${kind}`))
                expect([...(asked?.query ?? [])]).toEqual([[name, id]])
              },
            )
          },
          { ownOnly: true },
        )
        error('finds nothing behind what nobody has bridged, and wants an id', async (server) => {
          const alice = await server.user('alice')
          await refusal(alice.call('GET', path, { query: { [name]: id } }), 404, 'M_NOT_FOUND')
          await refusal(alice.call('GET', path), 400, 'M_MISSING_PARAM', 'M_INVALID_PARAM')
        })
      })
    }
  },
  { appservices: [BRIDGE, SILENT] },
)
