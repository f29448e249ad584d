import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { PASSWORD, SERVER_NAME } from '../../services/accounts/testing.js'
import type { TestRequest, TestResponse } from '../testing.js'
import { startAccountsServer, type AccountsServer, type AccountsServerOptions } from './testing.js'

let server: AccountsServer
afterEach(() => server.close())

const request = (method: string, path: string, options?: TestRequest): Promise<TestResponse> =>
  server.request(method, path, options)
const start = async (options: AccountsServerOptions = {}): Promise<void> => {
  server = await startAccountsServer(options)
}
const OPEN: AccountsServerOptions = { accounts: { registration: { enabled: true, requireToken: false } } }
const dummy = { auth: { type: 'm.login.dummy' } }
const register = (body: object): Promise<TestResponse> => request('POST', 'register', { body })

describe('POST /register', () => {
  it('is closed unless the configuration opens it', async () => {
    await start()
    expect(await register({ username: 'alice', password: PASSWORD, ...dummy })).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    })
    expect((await request('GET', 'register/available?username=alice')).status).toBe(403)
    expect(
      (await request('GET', '/_matrix/client/v1/register/m.login.registration_token/validity?token=x'))
        .status,
    ).toBe(403)
  })

  it('asks for interactive authentication, then gives a session', async () => {
    await start(OPEN)
    const first = await request('POST', 'register')
    expect(first).toMatchObject({ status: 401, body: { flows: [{ stages: ['m.login.dummy'] }] } })
    const auth = { type: 'm.login.dummy', session: first.body.session }
    const done = await register({ username: 'Alice', password: PASSWORD, device_id: 'PHONE', auth })
    expect(done).toMatchObject({
      status: 200,
      body: { user_id: `@alice:${SERVER_NAME}`, device_id: 'PHONE', home_server: SERVER_NAME },
    })
    const whoami = await request('GET', 'account/whoami', { token: done.body.access_token })
    expect(whoami.body).toEqual({ user_id: `@alice:${SERVER_NAME}`, device_id: 'PHONE', is_guest: false })
    expect((await request('GET', `profile/@alice:${SERVER_NAME}`)).body).toEqual({ displayname: 'alice' })
  })

  it.each([{}, { auth: {} }, { auth: null }, { auth: [] }])('tells the flows to %j', async (body) => {
    await start(OPEN)
    expect(await register(body)).toMatchObject({
      status: 401,
      body: { flows: [{ stages: ['m.login.dummy'] }] },
    })
  })

  it('picks a name when none is given, and logs nobody in when told so', async () => {
    await start(OPEN)
    const done = await register({ password: PASSWORD, inhibit_login: true, ...dummy })
    expect(done.status).toBe(200)
    expect(done.body.user_id).toMatch(/^@[a-z]{12}:finances\.example$/)
    expect(done.body).not.toHaveProperty('access_token')
  })

  it.each(['a b', 'é', '\u212a', 'a:b', '@a', '', '123', 'x'.repeat(300), 'a\u0000', '\ud83d\ude00', '<b>'])(
    'refuses the name %j before authentication',
    async (username) => {
      await start(OPEN)
      expect(await register({ username, password: PASSWORD })).toMatchObject({
        status: 400,
        body: { errcode: 'M_INVALID_USERNAME' },
      })
    },
  )

  it.each(['a.b', 'a_b', 'a=b', 'a-b', 'a/b', 'a+b', '__proto__', 'constructor', '1a'])(
    'takes the name %j',
    async (username) => {
      await start(OPEN)
      const done = await register({ username, password: PASSWORD, ...dummy })
      expect(done.body).toMatchObject({ user_id: `@${username}:${SERVER_NAME}` })
      const session = await server.fixture.login(username)
      expect(session.user_id).toBe(`@${username}:${SERVER_NAME}`)
    },
  )

  it('refuses a name that is taken, reserved, or an application service’s', async () => {
    await start({
      accounts: { registration: { enabled: true, requireToken: false, reserved: ['admin'] } },
      deps: {
        appservices: {
          byToken: () => undefined,
          exclusiveOwner: (userId) => (userId.startsWith('@irc_') ? 'irc' : undefined),
        },
      },
    })
    await server.fixture.user('alice')
    const errcode = async (username: string): Promise<string> =>
      (await register({ username, password: PASSWORD, ...dummy })).body.errcode
    expect(await errcode('ALICE')).toBe('M_USER_IN_USE')
    expect(await errcode('admin')).toBe('M_USER_IN_USE')
    expect(await errcode('irc_bob')).toBe('M_EXCLUSIVE')
    expect((await request('GET', 'register/available?username=alice')).body.errcode).toBe('M_USER_IN_USE')
    expect((await request('GET', 'register/available?username=carol')).body).toEqual({ available: true })
    expect((await request('GET', 'register/available')).body.errcode).toBe('M_MISSING_PARAM')
  })

  it('gives one name to one of many who ask at once', async () => {
    await start(OPEN)
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => register({ username: 'alice', password: PASSWORD, ...dummy })),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    expect(answers.filter((answer) => answer.body.errcode === 'M_USER_IN_USE')).toHaveLength(5)
  })

  it('needs a registration token where the configuration says so, and counts its uses', async () => {
    await start({ accounts: { registration: { enabled: true } } })
    const { registrationTokens } = server.fixture.accounts
    await registrationTokens.create({ token: 'welcome', usesAllowed: 2 })
    const wish = (username: string, token: string): object => ({
      username,
      password: PASSWORD,
      auth: { type: 'm.login.registration_token', token },
    })
    expect((await register(wish('alice', 'guess'))).body).toMatchObject({ errcode: 'M_UNAUTHORIZED' })
    expect((await register({ username: 'alice', password: PASSWORD, ...dummy })).status).toBe(401)
    expect((await register(wish('alice', 'welcome'))).status).toBe(200)
    expect((await register(wish('bob', 'welcome'))).status).toBe(200)
    expect((await register(wish('carol', 'welcome'))).status).toBe(401)
    expect(await registrationTokens.list()).toMatchObject([{ token: 'welcome', completed: 2, pending: 0 }])
    const valid = await request(
      'GET',
      '/_matrix/client/v1/register/m.login.registration_token/validity?token=welcome',
    )
    expect(valid.body).toEqual({ valid: false })
  })

  it('lets two simultaneous registrations not exceed a token’s uses', async () => {
    await start({ accounts: { registration: { enabled: true } } })
    const { registrationTokens } = server.fixture.accounts
    await registrationTokens.create({ token: 'once', usesAllowed: 1 })
    const answers = await Promise.all(
      ['a', 'b', 'c', 'd'].map((username) =>
        register({
          username,
          password: PASSWORD,
          auth: { type: 'm.login.registration_token', token: 'once' },
        }),
      ),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
  })

  it.each<[string, number, object]>([
    ['M_WEAK_PASSWORD', 400, { username: 'a', password: 'short' }],
    ['M_INVALID_PARAM', 400, { username: 'a', password: 'x'.repeat(10_000) }],
    ['M_MISSING_PARAM', 400, { username: 'a', ...dummy }],
    ['M_BAD_JSON', 400, { username: 7, password: PASSWORD }],
    ['M_BAD_JSON', 400, { username: 'a', password: ['x'] }],
    ['M_BAD_JSON', 400, { username: 'a', password: PASSWORD, inhibit_login: 'yes' }],
    ['M_INVALID_PARAM', 400, { username: 'a', password: PASSWORD, device_id: '', ...dummy }],
    ['M_INVALID_PARAM', 400, { username: 'a', password: PASSWORD, device_id: 'x'.repeat(256), ...dummy }],
    ['M_INVALID_PARAM', 400, { username: 'a', password: PASSWORD, device_id: 'a\u0000', ...dummy }],
    ['M_FORBIDDEN', 403, { username: 'a', password: PASSWORD, kind: 'guest' }],
  ])('answers %s, %i: %#', async (errcode, status, body) => {
    await start(OPEN)
    const kind = 'kind' in body ? '?kind=guest' : ''
    expect(await request('POST', `register${kind}`, { body })).toMatchObject({ status, body: { errcode } })
  })

  it('answers 413 to a password of 10 MB', async () => {
    await start(OPEN)
    const answer = await register({ username: 'a', password: 'x'.repeat(10_000_000) }).catch(() => undefined)
    // The connection may be closed while the client still writes.
    expect(answer?.status ?? 413).toBe(413)
  })

  it('lets guests in where they are allowed, with the rights of guests only', async () => {
    await start({ accounts: { registration: { guests: true } } })
    const guest = await request('POST', 'register?kind=guest', { body: { username: 'alice' } })
    expect(guest.body.user_id).toMatch(/^@[0-9]{16}:/)
    const token = guest.body.access_token as string
    expect((await request('GET', 'account/whoami', { token })).body.is_guest).toBe(true)
    expect(
      await request('POST', 'account/password', { token, body: { new_password: PASSWORD } }),
    ).toMatchObject({
      status: 403,
      body: { errcode: 'M_GUEST_ACCESS_FORBIDDEN' },
    })
    const mine = `profile/${guest.body.user_id}`
    expect((await request('PUT', `${mine}/displayname`, { token, body: { displayname: 'G' } })).status).toBe(
      200,
    )
    expect((await request('PUT', `${mine}/m.tz`, { token, body: { 'm.tz': 'UTC' } })).status).toBe(403)
  })
})

describe('registration by shared secret', () => {
  const path = '/_synapse/admin/v1/register'
  const macOf = (...parts: string[]): string =>
    createHmac('sha1', 's3cret').update(parts.join('\0')).digest('hex')

  it('creates an administrator for whoever knows the secret, once for each nonce', async () => {
    await start({ accounts: { registrationSharedSecret: 's3cret' } })
    const nonce = (await request('GET', path)).body.nonce as string
    const body = { nonce, username: 'root', password: PASSWORD, admin: true }
    const mac = macOf(nonce, 'root', PASSWORD, 'admin')
    const done = await request('POST', path, { body: { ...body, mac } })
    expect(done).toMatchObject({ status: 200, body: { user_id: `@root:${SERVER_NAME}` } })
    const { accounts } = server.fixture
    expect(await accounts.moderation.get(`@root:${SERVER_NAME}`, `@root:${SERVER_NAME}`, 'locked')).toBe(
      false,
    )
    const replay = { ...body, username: 'root2', mac: macOf(nonce, 'root2', PASSWORD, 'admin') }
    expect((await request('POST', path, { body: replay })).status).toBe(403)
  })

  it('refuses a wrong MAC, a foreign nonce, an old one, and rights beyond the MAC', async () => {
    await start({ accounts: { registrationSharedSecret: 's3cret' } })
    const post = async (change: object): Promise<number> => {
      const nonce = (await request('GET', path)).body.nonce as string
      const mac = macOf(nonce, 'root', PASSWORD, 'notadmin')
      const body = { nonce, username: 'root', password: PASSWORD, mac, ...change }
      return (await request('POST', path, { body })).status
    }
    expect(await post({ mac: '00' })).toBe(403)
    expect(await post({ mac: 'not hex' })).toBe(403)
    expect(await post({ admin: true })).toBe(403)
    expect(await post({ nonce: 'mine', mac: macOf('mine', 'root', PASSWORD, 'notadmin') })).toBe(403)
    const nonce = (await request('GET', path)).body.nonce as string
    server.fixture.clock.advance(60_000)
    const mac = macOf(nonce, 'root', PASSWORD, 'notadmin')
    expect(
      (await request('POST', path, { body: { nonce, username: 'root', password: PASSWORD, mac } })).status,
    ).toBe(403)
    expect(await post({})).toBe(200)
  })

  it('is off without a secret', async () => {
    await start()
    expect((await request('GET', path)).status).toBe(400)
  })
})

describe('the fallback page of a stage', () => {
  const page = '/_matrix/client/v3/auth/m.login.registration_token/fallback/web'

  it('passes the stage for a session, for clients that only know the session', async () => {
    await start({ accounts: { registration: { enabled: true } } })
    await server.fixture.accounts.registrationTokens.create({ token: 'welcome' })
    const wish = { username: 'alice', password: PASSWORD }
    const { session } = (await register(wish)).body
    const form = await request('GET', `${page}?session=${session}`)
    expect(form.status).toBe(200)
    expect(form.text).toContain(`value="${session}"`)
    const post = (token: string): Promise<TestResponse> =>
      request('POST', page, {
        body: new URLSearchParams({ session, token }).toString(),
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      })
    const wrong = await post('<script>')
    expect(wrong.status).toBe(401)
    expect(wrong.text).not.toContain('<script>')
    const right = await post('welcome')
    expect(right.text).toContain('onAuthDone')
    expect((await register({ ...wish, auth: { session } })).status).toBe(200)
  })

  it.each([
    '"><script>alert(1)</script>',
    "'onmouseover='x",
    '%22%3E%3Cimg%20src=x%3E',
    'x'.repeat(5_000),
    '',
  ])('never repeats a hostile session: %#', async (session) => {
    await start({ accounts: { registration: { enabled: true } } })
    for (const answer of [
      await request('GET', `${page}?session=${encodeURIComponent(session)}`),
      await request('POST', page, { body: new URLSearchParams({ session, token: 'x' }).toString() }),
    ]) {
      expect(answer.status).toBe(400)
      expect(answer.headers.get('content-type')).toContain('text/html')
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
      if (session !== '') expect(answer.text).not.toContain(session)
    }
  })

  it('does not exist for passwords', async () => {
    await start()
    expect(
      (await request('GET', '/_matrix/client/v3/auth/m.login.password/fallback/web?session=x')).status,
    ).toBe(400)
  })
})

describe('a guest who registers', () => {
  it('keeps its name and sessions and stops to be a guest', async () => {
    await start({ accounts: { registration: { enabled: true, requireToken: false, guests: true } } })
    const guest = (await request('POST', 'register?kind=guest', { body: {} })).body
    const username = (guest.user_id as string).slice(1).split(':')[0]
    const wish = {
      username,
      password: PASSWORD,
      guest_access_token: guest.access_token,
      auth: { type: 'm.login.dummy' },
    }
    const other = await request('POST', 'register', { body: { ...wish, username: 'other' } })
    expect([other.status, other.body.errcode]).toEqual([400, 'M_INVALID_USERNAME'])
    const wrong = await request('POST', 'register', { body: { ...wish, guest_access_token: 'x' } })
    expect([wrong.status, wrong.body.errcode]).toEqual([401, 'M_UNKNOWN_TOKEN'])
    const done = await request('POST', 'register', { body: wish })
    expect([done.status, done.body.user_id]).toEqual([200, guest.user_id])
    const whoami = await request('GET', 'account/whoami', { token: guest.access_token as string })
    expect(whoami.body.is_guest).toBe(false)
    // The token is no guest's any more.
    expect((await request('POST', 'register', { body: wish })).body.errcode).toBe('M_UNKNOWN_TOKEN')
  })
})
