import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { accountRoutes } from './account-routes.js'
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

describe('every endpoint of accounts', () => {
  const filled = (path: string): string =>
    path
      .replace('{userId}', '@alice:finances.example')
      .replace('{roomId}', '!r:finances.example')
      .replaceAll(/\{[A-Za-z]+\}/g, 'x')

  it('answers hostile bodies with a Matrix error and never with a 5xx', async () => {
    await started({ accounts: { registration: { enabled: true, requireToken: false } } })
    const { access_token: token } = await server.fixture.user('root', { admin: true })
    const deep = '['.repeat(30_000)
    const bodies = ['{', 'null', '[]', '"x"', '7', deep, '{"a":1,"a":2}', '\ufeff{}', '{"x":"\\ud800"}']
    const bytes = [new Uint8Array([0xff, 0xfe, 0x7b]), new Uint8Array([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d])]
    for (const route of accountRoutes.filter((known) => known.method !== 'GET')) {
      if (route.auth === 'appservice') continue
      if (route.id === 'logout' || route.id === 'logout_all') continue
      for (const body of [...bodies, ...bytes]) {
        const answer = await server.request(route.method, filled(route.paths[0]!), { token, body })
        const what = `${route.id} ${String(body).slice(0, 20)} ${answer.status}`
        if (answer.status >= 500) throw new Error(what)
        if (route.body !== undefined && route.body !== 'stream') {
          if (answer.status !== 400) throw new Error(what)
          expect(['M_NOT_JSON', 'M_BAD_JSON']).toContain(answer.body.errcode)
        }
      }
    }
  })

  it('answers hostile ids in its path with a Matrix error and never with a 5xx', async () => {
    const token = await started()
    const hostile = [
      '__proto__',
      '%F0%9F%98%80',
      'x'.repeat(2_000),
      "'%20OR%201=1",
      '..%2f..%2fetc',
      '@:',
      '!',
      '%C3%A9',
    ]
    for (const route of accountRoutes) {
      for (const id of hostile) {
        for (const path of route.paths) {
          if (!path.includes('{')) continue
          const url = path.replaceAll(/\{[A-Za-z]+\}/g, id)
          const answer = await server.request(route.method, url, {
            token,
            ...(route.method === 'GET' ? {} : { body: {} }),
          })
          if (answer.status >= 500) throw new Error(`${route.id} ${id} ${answer.status}`)
        }
      }
    }
  })

  it('has one path and method each, and an own name', () => {
    const ids = accountRoutes.map((known) => known.id).filter((id) => id !== 'getAuthFallback')
    expect(new Set(ids).size).toBe(ids.length)
    server = { close: () => Promise.resolve() } as AccountsServer
  })
})
