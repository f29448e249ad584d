import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import {
  authorityJson,
  DAY,
  listJson,
  listSigner,
  memberJson,
  signedJson,
  signerJson,
} from '../../src/core/node-list/testing.js'
import { call, eventually, type Answer } from '../harness/client.js'
import type { Homeserver } from '../harness/homeserver.js'
import type { NodeOptions } from '../harness/node.js'
import { refusal, section } from '../harness/section.js'

const PATH = '/_matrix/identity/api/v1/info'
const FINANCES = 'agent.finances.example'
const INTERIEUR = 'agent.interieur.example'
const ask = (server: Homeserver, query: Record<string, string>): Promise<Answer> =>
  call(server.url, 'GET', PATH, { query })

/** No server must have this. */
const ownOnly = { ownOnly: true }

/** A node that goes by a list of three members. */
async function listedNode(): Promise<NodeOptions & { dispose(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'chancery-members-'))
  const file = join(folder, 'list.json')
  const signer = listSigner('anssi')
  const now = Date.now()
  const list = signedJson(
    listJson({
      issued_at: now - 1_000,
      expires_at: now + 30 * DAY,
      authorities: [authorityJson(1, 1, [signer])],
      members: [
        memberJson(FINANCES, { email: { domains: ['finances.example'] } }),
        memberJson(INTERIEUR, {
          email: { domains: ['interieur.example'], patterns: ['*@*.interieur.example'] },
        }),
        memberJson('agent.ended.example', {
          email: { domains: ['ended.example'] },
          left_at: now - 1_000,
        }),
      ],
    }),
    [signer],
  )
  await writeFile(file, JSON.stringify(list))
  return {
    config: { node_list: { file, trusted_signers: [signerJson(signer)] } },
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}

// Not in the specification: what clients of the French administration ask before anybody logs in.
section(
  'Member nodes',
  'identity-service-api/',
  (operation) => {
    operation(
      'getEmailInfo',
      `GET ${PATH}`,
      ({ success, error }) => {
        success(
          'says where an address belongs, whoever asks',
          async (server) => {
            const of = (address: string): Promise<Answer> => ask(server, { medium: 'email', address })
            // The node looks for its list when it starts, and does not wait for it.
            await eventually(
              'the list is taken',
              async () => (await of('a@finances.example')).body.hs !== undefined,
            )
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
          },
          ownOnly,
        )
        error(
          'refuses what is no address, and other mediums',
          async (server) => {
            for (const address of [
              'nonsense',
              'a@b@finances.example',
              '@finances.example',
              'a b@finances.example',
            ])
              await refusal(ask(server, { medium: 'email', address }), 400, 'M_INVALID_PARAM')
            await refusal(ask(server, { medium: 'msisdn', address: '4930123' }), 400, 'M_INVALID_PARAM')
            await refusal(ask(server, { medium: 'email' }), 400, 'M_MISSING_PARAM')
          },
          ownOnly,
        )
      },
      { auth: 'none' },
    )
  },
  listedNode,
)
