import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { startAccountsServer, type AccountsServer, type AccountsServerOptions } from './testing.js'

let server: AccountsServer
afterEach(() => server.close())

const started = async (options: AccountsServerOptions = {}): Promise<string> => {
  server = await startAccountsServer(options)
  return (await server.fixture.user('alice')).access_token
}

describe('GET /versions', () => {
  it('names every release, with and without a token, even a wrong one', async () => {
    await started()
    const path = '/_matrix/client/versions'
    const { versions } = (await server.request('GET', path)).body
    expect(versions).toEqual(expect.arrayContaining(['r0.6.1', 'v1.1', 'v1.10', 'v1.11', 'v1.19']))
    expect(versions).not.toContain('v1.20')
    expect((await server.request('GET', path, { token: 'stale' })).status).toBe(200)
  })
})

describe('GET /capabilities', () => {
  it('says what the configuration allows', async () => {
    const token = await started({
      serverInfo: { changePassword: false, managedProfileFields: ['displayname'] },
    })
    const { capabilities } = (await server.request('GET', 'capabilities', { token })).body
    expect(capabilities).toMatchObject({
      'm.change_password': { enabled: false },
      'm.room_versions': { default: '12', available: { 1: 'stable', 12: 'stable' } },
      'm.set_displayname': { enabled: false },
      'm.set_avatar_url': { enabled: true },
      'm.profile_fields': { enabled: true, disallowed: ['displayname'] },
      'm.get_login_token': { enabled: true },
      'm.3pid_changes': { enabled: false },
    })
    expect(capabilities).not.toHaveProperty('m.account_moderation')
    const root = await server.fixture.user('root', { admin: true })
    const theirs = await server.request('GET', 'capabilities', { token: root.access_token })
    expect(theirs.body.capabilities['m.account_moderation']).toEqual({ suspend: true, lock: true })
    expect((await server.request('GET', 'capabilities')).status).toBe(401)
  })
})

describe('GET /voip/turnServer', () => {
  it('is empty unless a TURN server is configured', async () => {
    const token = await started()
    expect((await server.request('GET', 'voip/turnServer', { token })).body).toEqual({})
  })

  it('gives credentials that the TURN server can check', async () => {
    const token = await started({
      serverInfo: {
        turn: { uris: ['turn:turn.example?transport=udp'], sharedSecret: 'north', ttlSeconds: 60 },
      },
    })
    const { body } = await server.request('GET', 'voip/turnServer', { token })
    const until = Math.floor(server.fixture.clock.now() / 1000) + 60
    expect(body).toEqual({
      username: `${until}:@alice:finances.example`,
      password: createHmac('sha1', 'north').update(body.username).digest('base64'),
      uris: ['turn:turn.example?transport=udp'],
      ttl: 60,
    })
  })
})
