import { expect } from '@jest/globals'
import { call } from '../harness/client.js'
import { section, v3 } from '../harness/section.js'

const POLICY_KEY = '6yhHGKhCiXTSEN2ksjV7kX/N6rBQZ3Xb+M7LlC6NS+s'

section(
  'Server administration and discovery',
  'client-server-api/#server-discovery',
  (operation) => {
    operation(
      'getVersions',
      'GET /_matrix/client/versions',
      ({ success }) => {
        success(
          'names what clients look for before they use it',
          async (server) => {
            const { body } = await call(server.url, 'GET', '/_matrix/client/versions')
            expect(body.unstable_features).toMatchObject({
              'org.matrix.simplified_msc3575': true,
              'org.matrix.msc3391': true,
              'org.matrix.msc3874': true,
              'org.matrix.msc3890': true,
              'org.matrix.msc4140': true,
              'org.matrix.msc4155': true,
              'org.matrix.msc4262': true,
              'org.matrix.msc4354': true,
              'uk.half-shot.msc2666.query_mutual_rooms': true,
              'uk.half-shot.msc2666.query_mutual_rooms.stable': true,
            })
          },
          { ownOnly: true },
        )
        success('lists versions of the specification, for everybody', async (server) => {
          const { status, body } = await call(server.url, 'GET', '/_matrix/client/versions')
          expect(status).toBe(200)
          expect(body.versions).toContain('v1.11')
          expect(Object.values(body.unstable_features ?? {}).every((on) => typeof on === 'boolean')).toBe(
            true,
          )
        })
      },
      { auth: 'none' },
    )
    operation('getCapabilities', 'GET /_matrix/client/v3/capabilities', ({ success }) => {
      success('lists room versions, of which the default is one', async (server) => {
        const { capabilities } = await (await server.user()).ok('GET', v3('/capabilities'))
        const versions = capabilities['m.room_versions']
        expect(versions.available[versions.default]).toBe('stable')
        expect(Object.keys(versions.available)).toEqual(expect.arrayContaining(['10', '11', '12']))
        expect(typeof (capabilities['m.change_password']?.enabled ?? true)).toBe('boolean')
      })
      success(
        'tells what may be changed',
        async (server) => {
          const { capabilities } = await (await server.user()).ok('GET', v3('/capabilities'))
          expect(capabilities['m.room_versions']).toEqual({
            default: '12',
            available: {
              ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i + 1}`, 'stable'])),
              'org.matrix.msc3757.10': 'unstable',
              'org.matrix.msc3757.11': 'unstable',
            },
          })
          expect(capabilities).toMatchObject({
            'm.change_password': { enabled: true },
            'm.profile_fields': { enabled: true },
            'm.set_displayname': { enabled: true },
            'm.set_avatar_url': { enabled: true },
            'm.3pid_changes': { enabled: expect.any(Boolean) },
            'm.get_login_token': { enabled: expect.any(Boolean) },
            'org.matrix.msc4140.delayed_events': {
              max_delay_ms: expect.any(Number),
              max_scheduled: expect.any(Number),
            },
          })
        },
        { ownOnly: true },
      )
    })
    operation(
      'getWellknown',
      'GET /.well-known/matrix/client',
      ({ success }) => {
        success(
          'names the homeserver’s address',
          async (server) => {
            const { status, body } = await call(server.url, 'GET', '/.well-known/matrix/client')
            expect(status).toBe(200)
            expect(body['m.homeserver'].base_url.replace(/\/$/, '')).toBe(server.publicUrl)
          },
          { ownOnly: true },
        )
      },
      { auth: 'none' },
    )
    operation(
      'getWellknownSupport',
      'GET /.well-known/matrix/support',
      ({ success }) => {
        success(
          'names whom to ask',
          async (server) => {
            const { status, body } = await call(server.url, 'GET', '/.well-known/matrix/support')
            expect(status).toBe(200)
            expect(body.contacts).toEqual([{ role: 'm.role.admin', email_address: 'help@example.org' }])
          },
          { ownOnly: true },
        )
      },
      { auth: 'none' },
    )
    operation(
      'getWellknownPolicy',
      'GET /.well-known/matrix/policy_server',
      ({ success }) => {
        success(
          'gives the key of the policy server',
          async (server) => {
            const { status, body } = await call(server.url, 'GET', '/.well-known/matrix/policy_server')
            expect([status, body]).toEqual([200, { public_keys: { ed25519: POLICY_KEY } }])
          },
          { ownOnly: true },
        )
      },
      { auth: 'none' },
    )
    operation('getTurnServer', 'GET /_matrix/client/v3/voip/turnServer', ({ success }) => {
      success(
        'gives credentials of its own to each user',
        async (server) => {
          const alice = await server.user('alice')
          const given = await alice.ok('GET', v3('/voip/turnServer'))
          expect(given.uris).toEqual(['turn:turn.example.org'])
          expect(given.ttl).toBeGreaterThan(0)
          expect(given.username).toContain(alice.userId)
          expect(given.password).toMatch(/^[A-Za-z0-9+/]{27}=$/)
        },
        { ownOnly: true },
      )
    })
    operation('getProtocols', 'GET /_matrix/client/v3/thirdparty/protocols', ({ success }) => {
      success('gives a map, empty without bridges', async (server) => {
        expect(await (await server.user()).ok('GET', v3('/thirdparty/protocols'))).toEqual({})
      })
    })
  },
  {
    config: {
      turn: { uris: ['turn:turn.example.org'], secret: 'turn secret of the tests' },
      well_known: {
        support: { contacts: [{ role: 'm.role.admin', email_address: 'help@example.org' }] },
        policy_server_key: POLICY_KEY,
      },
    },
  },
)
