import { afterEach, describe, expect, it } from '@jest/globals'
import type { Member, MemberRole } from '../../../core/node-list/types.js'
import type { UserStates } from '../../../services/accounts/user-states.js'
import type { MemberIdentity } from '../../../services/member-identity/member-identity.js'
import type { NodeListService } from '../../../services/node-list/node-list.js'
import type { Services } from '../../../services/services.js'
import { startTestServer, type TestResponse, type TestServer } from '../../testing.js'
import { federationRoutes } from '../routes.js'

const ROLES = new Map<string, MemberRole>([
  ['finances.example', 'agents'],
  ['guests.example', 'external'],
])
const member = (serverName: string): Member | undefined => {
  const role = ROLES.get(serverName)
  return role === undefined ? undefined : ({ serverName, role } as Member)
}
const nodeList = {
  member,
  memberOfAddress: (address: string) =>
    !address.includes('@')
      ? 'invalid'
      : member(address.endsWith('@finances.example') ? 'finances.example' : 'guests.example'),
} as NodeListService
const memberIdentity = {
  isInvited: (address: string) => Promise.resolve(address === 'zoe@home.example'),
  invites: { isKeyValid: (key: string) => Promise.resolve(key === 'good') },
  lookupFor: (origin: string) => Promise.resolve({ hash: `@asked-by:${origin}` }),
  keepFor: (origin: string, body: { sender: string }) =>
    Promise.resolve(
      body.sender === '@known:x'
        ? { boundTo: '@zoe:guests.example' }
        : { token: origin, displayName: 'z…', publicKeys: [] },
    ),
} as unknown as MemberIdentity
const userStates: Partial<UserStates> = { ofLocal: () => Promise.resolve({}) }

let server: TestServer
afterEach(() => server.close())

async function start(services: Partial<Services> = {}): Promise<void> {
  server = await startTestServer(
    federationRoutes,
    { nodeList, memberIdentity, userStates: userStates as UserStates, ...services },
    {
      authenticateServer: ({ authorization }) => Promise.resolve(String(authorization)),
      admitServer: () => undefined,
    },
  )
}
const ask = (origin: string, path: string, body?: object): Promise<TestResponse> =>
  server.request(body === undefined ? 'GET' : 'POST', path, {
    headers: { authorization: origin },
    ...(body === undefined ? {} : { body }),
  })
const INFO = '/_matrix/identity/api/v1/internal-info'
const CIRCLE = '/_matrix/federation/unstable/org.chancery.identity'
const invite = { medium: 'email', address: 'zoe@home.example', room_id: '!r:x', sender: '@anne:x' }
const lookup = { addresses: ['hash'], algorithm: 'sha256', pepper: 'x' }

describe('what members ask of each other about addresses', () => {
  it('is where an address belongs, and whether it is invited', async () => {
    await start()
    const told = async (address: string): Promise<unknown> =>
      (await ask('finances.example', `${INFO}?medium=email&address=${encodeURIComponent(address)}`)).body
    expect(await told('zoe@home.example')).toEqual({
      hs: 'guests.example',
      requires_invite: true,
      invited: true,
    })
    expect(await told('yann@home.example')).toMatchObject({ requires_invite: true, invited: false })
    expect(await told('anne@finances.example')).toEqual({
      hs: 'finances.example',
      requires_invite: false,
      invited: false,
    })
    expect(await told('nonsense')).toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })

  it('is who has an address, and to keep an invitation', async () => {
    await start()
    expect((await ask('finances.example', `${CIRCLE}/lookup`, lookup)).body).toEqual({
      mappings: { hash: '@asked-by:finances.example' },
    })
    expect((await ask('finances.example', `${CIRCLE}/store_invite`, invite)).body).toEqual({
      token: 'finances.example',
      display_name: 'z…',
      public_keys: [],
    })
    const known = await ask('finances.example', `${CIRCLE}/store_invite`, { ...invite, sender: '@known:x' })
    expect(known.body).toEqual({ mxid: '@zoe:guests.example' })
  })

  it('is told to nobody else', async () => {
    await start()
    for (const [path, body] of [
      [`${INFO}?address=zoe@home.example`, undefined],
      [`${CIRCLE}/lookup`, lookup],
      [`${CIRCLE}/store_invite`, invite],
      [`${CIRCLE}/withdraw_invite`, { token: 'x', sender: '@anne:x' }],
      ['/_matrix/federation/unstable/users/info', { user_ids: [] }],
    ] as const) {
      const { status, body: answer } = await ask('stranger.example', path, body)
      expect([path, status, answer.errcode]).toEqual([path, 403, 'M_FORBIDDEN'])
    }
  })

  it('is unknown where there is no circle', async () => {
    await start({ nodeList: undefined, memberIdentity: undefined })
    for (const [path, body] of [
      [`${INFO}?address=zoe@home.example`, undefined],
      [`${CIRCLE}/lookup`, lookup],
      [`${CIRCLE}/store_invite`, invite],
      [`${CIRCLE}/withdraw_invite`, { token: 'x', sender: '@anne:x' }],
      ['/_matrix/federation/unstable/users/info', { user_ids: [] }],
      ['/_matrix/identity/v2/pubkey/ephemeral/isvalid?public_key=good', undefined],
    ] as const) {
      const { status, body: answer } = await ask('finances.example', path, body)
      expect([path, status, answer.errcode]).toEqual([path, 404, 'M_UNRECOGNIZED'])
    }
  })

  it('is whether a key counts, of everybody', async () => {
    await start()
    for (const path of ['pubkey/ephemeral/isvalid', 'pubkey/isvalid'])
      for (const [key, valid] of [
        ['good', true],
        ['bad', false],
      ] as const) {
        const { body } = await server.request('GET', `/_matrix/identity/v2/${path}?public_key=${key}`)
        expect(body).toEqual({ valid })
      }
  })
})
