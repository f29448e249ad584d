import { expect } from '@jest/globals'
import { memberJson } from '../../src/core/node-list/testing.js'
import { call, type Answer } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import { hasTakenList, listOf } from '../harness/listed-node.js'
import { refusal, section, v3 } from '../harness/section.js'

const PATH = '/_matrix/identity/api/v1/info'
const FINANCES = 'agent.finances.example'
const INTERIEUR = 'agent.interieur.example'
const ask = (server: Homeserver, query: Record<string, string>): Promise<Answer> =>
  call(server.url, 'GET', PATH, { query })

/** No server must have this. */
const ours = { ours: true } as const

const INFO = '/_matrix/client/unstable/users/info'
const MOVE = '/_matrix/client/unstable/org.chancery/account_move'

// Not in the specification: what clients of the French administration ask before anybody logs in.
section(
  'Member nodes',
  'identity-service-api/',
  (operation) => {
    operation(
      'getEmailInfo',
      `GET ${PATH}`,
      ({ success, error }) => {
        success('says where an address belongs, whoever asks', async (server) => {
          const of = (address: string): Promise<Answer> => ask(server, { medium: 'email', address })
          await hasTakenList(server)
          for (const [address, hs] of [
            ['alice@finances.example', FINANCES],
            ['Alice@Finances.Example', FINANCES],
            ['benoit@interieur.example', INTERIEUR],
            ['benoit@nord.interieur.example', INTERIEUR],
          ] as const)
            expect(await of(address)).toMatchObject({ status: 200, body: { hs } })
          expect((await ask(server, { address: 'alice@finances.example' })).body).toEqual({ hs: FINANCES })
          for (const address of ['alice@elsewhere.example', 'claire@ended.example']) {
            const { status, body } = await of(address)
            expect([status, body]).toEqual([200, {}])
          }
        })
        error('refuses what is no address, and other mediums', async (server) => {
          for (const address of [
            'nonsense',
            'a@b@finances.example',
            '@finances.example',
            'a b@finances.example',
          ])
            await refusal(ask(server, { medium: 'email', address }), 400, 'M_INVALID_PARAM')
          await refusal(ask(server, { medium: 'msisdn', address: '4930123' }), 400, 'M_INVALID_PARAM')
          await refusal(ask(server, { medium: 'email' }), 400, 'M_MISSING_PARAM')
        })
      },
      { auth: 'none', ...ours },
    )
    operation(
      'getUsersInfo',
      `POST ${INFO}`,
      ({ success, error }) => {
        success(
          'says which accounts are read by nobody any more, and leaves out those that are not known',
          async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const auth = {
              type: 'm.login.password',
              identifier: { type: 'm.id.user', user: bob.userId },
              password: bob.password,
            }
            await bob.ok('POST', v3('/account/deactivate'), { auth })
            const unknown = [`@nobody:${server.serverName}`, '@x:elsewhere.example', 'nonsense']
            const user_ids = [alice.userId, bob.userId, ...unknown]
            expect(await alice.ok('POST', INFO, { user_ids })).toEqual({
              [alice.userId]: { expired: false, deactivated: false },
              [bob.userId]: { expired: false, deactivated: true },
            })
          },
        )
        error('wants a list of ids, of bounded length', async (server) => {
          const alice = await server.user('alice')
          const asked = (user_ids: unknown): Promise<Answer> =>
            alice.call('POST', INFO, { body: { user_ids } })
          await refusal(asked(undefined), 400, 'M_MISSING_PARAM')
          await refusal(asked([7]), 400, 'M_BAD_JSON')
          await refusal(asked(Array.from({ length: 501 }, (_, i) => `@${i}:x`)), 400, 'M_BAD_JSON')
        })
      },
      { sample: { body: { user_ids: [] } }, ...ours },
    )
    operation(
      'getAccountMove',
      `GET ${MOVE}`,
      ({ error }) => {
        error('has nothing to say to somebody whose account does not move', async (server) => {
          const alice = await server.user('alice')
          await refusal(alice.call('GET', MOVE), 404, 'M_NOT_FOUND')
        })
      },
      ours,
    )
    operation(
      'consentToAccountMove',
      `POST ${MOVE}/consent`,
      ({ error }) => {
        error('takes no yes to what nobody has asked', async (server) => {
          const alice = await server.user('alice')
          const consent = (body: object): Promise<Answer> => alice.call('POST', `${MOVE}/consent`, { body })
          await refusal(consent({ new_user: `@alice:${FINANCES}` }), 404, 'M_NOT_FOUND')
          await refusal(consent({ new_user: 'alice' }), 400, 'M_INVALID_PARAM')
          await refusal(consent({}), 400, 'M_MISSING_PARAM')
        })
      },
      { sample: { body: { new_user: `@alice:${FINANCES}` } }, ...ours },
    )
    operation(
      'declineAccountMove',
      `POST ${MOVE}/decline`,
      ({ error }) => {
        error('takes no no to what nobody has asked', async (server) => {
          const alice = await server.user('alice')
          await refusal(alice.call('POST', `${MOVE}/decline`, { body: {} }), 404, 'M_NOT_FOUND')
        })
      },
      ours,
    )
  },
  () =>
    listOf((now) => [
      memberJson(FINANCES, { email: { domains: ['finances.example'] } }),
      memberJson(INTERIEUR, {
        email: { domains: ['interieur.example'], patterns: ['*@*.interieur.example'] },
      }),
      memberJson('agent.ended.example', { email: { domains: ['ended.example'] }, left_at: now - 1_000 }),
    ]),
)
