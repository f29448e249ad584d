import { createHash, randomBytes } from 'node:crypto'
import { expect } from '@jest/globals'
import { memberJson } from '../../src/core/node-list/testing.js'
import { startMailServer } from '../../src/services/mail/testing-smtp.js'
import { call, type Answer, type User } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { hasTakenList, listOf } from '../harness/listed-node.js'
import { createRoom, enc, refusal, section, v3 } from '../harness/section.js'

const ROOT = '/_matrix/identity/v2'
const DOMAIN = 'finances.example'
/** A homeserver is rarely an identity server, too. */
const ownOnly = { ownOnly: true }
const everybody = { auth: 'none' } as const

const ask = (
  server: Homeserver,
  method: string,
  path: string,
  token?: string,
  body?: object,
): Promise<Answer> => call(server.url, method, path, { token, ...(body && { body }) })

const openIdOf = (user: User): Promise<Record<string, unknown>> =>
  user.ok('POST', v3(`/user/${enc(user.userId)}/openid/request_token`)) as Promise<Record<string, unknown>>
async function tokenOf(server: Homeserver, user: User): Promise<string> {
  const { status, body } = await ask(
    server,
    'POST',
    `${ROOT}/account/register`,
    undefined,
    await openIdOf(user),
  )
  expect(status).toBe(200)
  return body.token
}
/** Who shows no token, one that is none, or that of their session, is told nothing. */
async function refusesUnproved(
  server: Homeserver,
  method: string,
  path: string,
  body?: object,
): Promise<void> {
  const alice = await server.user('alice')
  for (const token of [undefined, 'nonsense', alice.token])
    await refusal(ask(server, method, path, token, body), 401, 'M_UNAUTHORIZED')
}
const newAddress = (): string => `anne-${randomBytes(6).toString('hex')}@${DOMAIN}`
/** A user with an address that belongs to the server. */
async function withAddress(server: Homeserver): Promise<{ user: User; address: string }> {
  const [user, admin] = [await server.user('anne'), await server.administrator()]
  const address = newAddress()
  const threepids = [{ medium: 'email', address }]
  await admin.ok('PUT', `/_synapse/admin/v2/users/${enc(user.userId)}`, { threepids })
  return { user, address }
}
const hashOf = (address: string, pepper: string): string =>
  createHash('sha256').update(`${address} email ${pepper}`).digest('base64url')

section(
  'Identity service',
  'identity-service-api/',
  (operation) => {
    for (const [id, path, answer] of [
      ['pingIdentityService', ROOT, {}],
      [
        'getIdentityVersions',
        '/_matrix/identity/versions',
        { versions: expect.arrayContaining(['r0.3.0', 'v1.1']) },
      ],
      ['getIdentityTerms', `${ROOT}/terms`, { policies: {} }],
    ] as const) {
      operation(
        id,
        `GET ${path}`,
        ({ success }) => {
          success(
            'says what there is, to everybody',
            async (server) => {
              const { status, body } = await ask(server, 'GET', path)
              expect([status, body]).toEqual([200, answer])
            },
            ownOnly,
          )
        },
        everybody,
      )
    }
    operation(
      'registerIdentityAccount',
      `POST ${ROOT}/account/register`,
      ({ success, error, authorisation }) => {
        success(
          'takes the proof of who somebody is for a token',
          async (server) => {
            const alice = await server.user('alice')
            const { status, body } = await ask(
              server,
              'POST',
              `${ROOT}/account/register`,
              undefined,
              await openIdOf(alice),
            )
            expect([status, body]).toEqual([
              200,
              { token: expect.stringMatching(/^.{20,}$/), access_token: body.token },
            ])
            const account = await ask(server, 'GET', `${ROOT}/account`, body.token)
            expect(account.body).toEqual({ user_id: alice.userId })
          },
          ownOnly,
        )
        error(
          'wants the whole proof',
          async (server) => {
            const proof = await openIdOf(await server.user('alice'))
            for (const missing of ['access_token', 'matrix_server_name']) {
              const body = { ...proof, [missing]: undefined }
              await refusal(
                ask(server, 'POST', `${ROOT}/account/register`, undefined, body),
                400,
                'M_MISSING_PARAM',
              )
            }
          },
          ownOnly,
        )
        authorisation(
          'takes no token that proves nothing, or is said to be of another server',
          async (server) => {
            const alice = await server.user('alice')
            const proof = await openIdOf(alice)
            for (const wrong of [
              { access_token: 'nonsense' },
              { access_token: alice.token },
              { matrix_server_name: 'elsewhere.example' },
            ])
              await refusal(
                ask(server, 'POST', `${ROOT}/account/register`, undefined, { ...proof, ...wrong }),
                401,
                'M_UNAUTHORIZED',
              )
          },
          ownOnly,
        )
      },
      everybody,
    )
    operation(
      'getIdentityAccount',
      `GET ${ROOT}/account`,
      ({ success, authorisation }) => {
        success(
          'says whose token it is',
          async (server) => {
            for (const user of [await server.user('alice'), await server.user('bob')]) {
              const { body } = await ask(server, 'GET', `${ROOT}/account`, await tokenOf(server, user))
              expect(body).toEqual({ user_id: user.userId })
            }
          },
          ownOnly,
        )
        authorisation(
          'is for those who have proved who they are',
          (server) => refusesUnproved(server, 'GET', `${ROOT}/account`),
          ownOnly,
        )
      },
      everybody,
    )
    operation(
      'logOutOfIdentity',
      `POST ${ROOT}/account/logout`,
      ({ success, authorisation }) => {
        success(
          'ends the token, and no other',
          async (server) => {
            const alice = await server.user('alice')
            const [first, second] = [await tokenOf(server, alice), await tokenOf(server, alice)]
            const { status, body } = await ask(server, 'POST', `${ROOT}/account/logout`, first, {})
            expect([status, body]).toEqual([200, {}])
            await refusal(ask(server, 'GET', `${ROOT}/account`, first), 401, 'M_UNAUTHORIZED')
            expect((await ask(server, 'GET', `${ROOT}/account`, second)).body).toEqual({
              user_id: alice.userId,
            })
          },
          ownOnly,
        )
        authorisation(
          'is for those who have proved who they are',
          (server) => refusesUnproved(server, 'POST', `${ROOT}/account/logout`, {}),
          ownOnly,
        )
      },
      everybody,
    )
    operation(
      'getHashDetails',
      `GET ${ROOT}/hash_details`,
      ({ success, authorisation }) => {
        success(
          'says how addresses are hashed',
          async (server) => {
            const token = await tokenOf(server, await server.user('alice'))
            const { status, body } = await ask(server, 'GET', `${ROOT}/hash_details`, token)
            expect([status, body]).toEqual([
              200,
              { algorithms: ['sha256'], lookup_pepper: expect.stringMatching(/^.+$/) },
            ])
          },
          ownOnly,
        )
        authorisation(
          'is for those who have proved who they are',
          (server) => refusesUnproved(server, 'GET', `${ROOT}/hash_details`),
          ownOnly,
        )
      },
      everybody,
    )
    operation(
      'lookupUsers',
      `POST ${ROOT}/lookup`,
      ({ success, error, authorisation }) => {
        const known = async (server: Homeserver, token: string): Promise<string> =>
          (await ask(server, 'GET', `${ROOT}/hash_details`, token)).body.lookup_pepper
        success(
          'finds users by the hashes of their addresses, and nobody else',
          async (server) => {
            await hasTakenList(server)
            const [anne, emil] = [await withAddress(server), await withAddress(server)]
            const token = await tokenOf(server, emil.user)
            const pepper = await known(server, token)
            const [ofAnne, ofEmil] = [hashOf(anne.address, pepper), hashOf(emil.address, pepper)]
            const addresses = [ofAnne, ofEmil, hashOf(newAddress(), pepper)]
            const { status, body } = await ask(server, 'POST', `${ROOT}/lookup`, token, {
              algorithm: 'sha256',
              pepper,
              addresses,
            })
            expect([status, body]).toEqual([
              200,
              { mappings: { [ofAnne]: anne.user.userId, [ofEmil]: emil.user.userId } },
            ])
          },
          ownOnly,
        )
        error(
          'refuses another pepper, and tells the right one; other algorithms; more than there may be',
          async (server) => {
            const token = await tokenOf(server, await server.user('alice'))
            const pepper = await known(server, token)
            const right = { algorithm: 'sha256', pepper, addresses: [] }
            const wrong = (more: object): Promise<Answer> =>
              ask(server, 'POST', `${ROOT}/lookup`, token, { ...right, ...more })
            const stale = await refusal(wrong({ pepper: 'old' }), 400, 'M_INVALID_PEPPER')
            expect(stale.body).toMatchObject({ algorithm: 'sha256', lookup_pepper: pepper })
            await refusal(wrong({ algorithm: 'none' }), 400, 'M_INVALID_PARAM')
            const many = Array.from({ length: 201 }, (_, i) => `${i}`)
            await refusal(wrong({ addresses: many }), 400, 'M_INVALID_PARAM', 'M_BAD_JSON')
            await refusal(wrong({ addresses: undefined }), 400, 'M_MISSING_PARAM')
          },
          ownOnly,
        )
        authorisation(
          'is for those who have proved who they are',
          (server) =>
            refusesUnproved(server, 'POST', `${ROOT}/lookup`, {
              algorithm: 'sha256',
              pepper: 'x',
              addresses: [],
            }),
          ownOnly,
        )
      },
      everybody,
    )
    const invite = async (user: User, more: object = {}): Promise<Record<string, unknown>> => ({
      medium: 'email',
      address: newAddress(),
      room_id: await createRoom(user),
      sender: user.userId,
      ...more,
    })
    operation(
      'storeInvite',
      `POST ${ROOT}/store-invite`,
      ({ success, error, authorisation }) => {
        success(
          'keeps the invitation of an address with keys of its own, and tells who has it already',
          async (server) => {
            await hasTakenList(server)
            const [{ user: alice }, anne] = [await withAddress(server), await withAddress(server)]
            const token = await tokenOf(server, alice)
            const wish = await invite(alice)
            const { status, body } = await ask(server, 'POST', `${ROOT}/store-invite`, token, wish)
            expect(status).toBe(200)
            expect(body).toEqual({
              token: expect.stringMatching(/^.{20,}$/),
              display_name: expect.any(String),
              public_key: body.public_keys[0].public_key,
              public_keys: expect.any(Array),
            })
            expect(body.display_name).not.toContain(String(wish['address']))
            for (const { public_key: key, key_validity_url: url } of body.public_keys) {
              const asked = new URL(url as string)
              asked.searchParams.set('public_key', key as string)
              const answer = await fetch(server.publicUrl + asked.pathname + asked.search)
              expect(await answer.json()).toEqual({ valid: true })
            }
            const again = await ask(server, 'POST', `${ROOT}/store-invite`, token, await invite(alice))
            expect(again.body.token).not.toBe(body.token)
            const bound = await refusal(
              ask(
                server,
                'POST',
                `${ROOT}/store-invite`,
                token,
                await invite(alice, { address: anne.address }),
              ),
              400,
              'M_THREEPID_IN_USE',
            )
            expect(bound.body.mxid).toBe(anne.user.userId)
          },
          ownOnly,
        )
        error(
          'refuses what is no address, and those that belong to nobody',
          async (server) => {
            await hasTakenList(server)
            const alice = await server.user('alice')
            const token = await tokenOf(server, alice)
            const store = async (more: object): Promise<Answer> =>
              ask(server, 'POST', `${ROOT}/store-invite`, token, await invite(alice, more))
            await refusal(store({ medium: 'msisdn', address: '4930123' }), 400, 'M_UNRECOGNIZED')
            await refusal(store({ address: 'nonsense' }), 400, 'M_UNRECOGNIZED')
            await refusal(store({ room_id: undefined }), 400, 'M_MISSING_PARAM')
            await refusal(store({ address: 'x@elsewhere.example' }), 403, 'M_THREEPID_DENIED')
          },
          ownOnly,
        )
        authorisation(
          'is for those who have proved who they are, in their own name',
          async (server) => {
            await hasTakenList(server)
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            await refusesUnproved(server, 'POST', `${ROOT}/store-invite`, await invite(alice))
            const token = await tokenOf(server, bob)
            await refusal(
              ask(server, 'POST', `${ROOT}/store-invite`, token, await invite(alice)),
              400,
              'M_INVALID_PARAM',
            )
          },
          ownOnly,
        )
      },
      everybody,
    )
    for (const [id, path] of [
      ['isInviteKeyValid', `${ROOT}/pubkey/ephemeral/isvalid`],
      ['isPubkeyValid', `${ROOT}/pubkey/isvalid`],
    ] as const) {
      operation(
        id,
        `GET ${path}`,
        ({ success, error }) => {
          const isValid = async (server: Homeserver, key: string): Promise<unknown> =>
            (await call(server.url, 'GET', path, { query: { public_key: key } })).body
          success(
            'vouches for the keys of invitations that wait, and for no others',
            async (server) => {
              await hasTakenList(server)
              const alice = await server.user('alice')
              const token = await tokenOf(server, alice)
              const { body } = await ask(server, 'POST', `${ROOT}/store-invite`, token, await invite(alice))
              expect(await isValid(server, body.public_key)).toEqual({ valid: true })
              expect(await isValid(server, 'A'.repeat(43))).toEqual({ valid: false })
            },
            ownOnly,
          )
          error(
            'wants a key',
            async (server) => {
              await refusal(call(server.url, 'GET', path), 400, 'M_MISSING_PARAM')
            },
            ownOnly,
          )
        },
        everybody,
      )
    }
  },
  async () => {
    const mail = await startMailServer({ tls: 'off' })
    const list = await listOf(() => [
      memberJson('localhost', { keys: [], email: { domains: [DOMAIN] } }),
      memberJson('agent.interieur.example', { email: { domains: ['interieur.example'] } }),
    ])
    return {
      config: {
        ...list.config,
        mail: { host: '127.0.0.1', port: mail.port, tls: 'off', from: 'matrix@administration.example' },
        address_invites: { enabled: true },
      },
      async dispose() {
        await mail.close()
        await list.dispose()
      },
    }
  },
)
