import { afterEach, describe, expect, it } from '@jest/globals'
import { until } from '../../platform/testing-until.js'
import type { OutgoingMail } from '../../platform/smtp.js'
import { PASSWORD } from '../../services/accounts/testing.js'
import type { TestResponse } from '../testing.js'
import { startAccountsServer, type AccountsServer, type AccountsServerOptions } from './testing.js'

let server: AccountsServer
let sent: OutgoingMail[] = []

afterEach(async () => {
  await server.close()
})

type Wish = Pick<AccountsServerOptions, 'accounts'> & { hideAddresses?: boolean; nextLinks?: string[] }

async function start({ accounts, ...options }: Wish = {}): Promise<void> {
  const box: OutgoingMail[] = []
  sent = box
  server = await startAccountsServer({
    ...(accounts === undefined ? {} : { accounts }),
    deps: {
      mail: {
        transport: { send: (mail) => Promise.resolve(void box.push(mail)), close: () => undefined },
        options,
      },
    },
  })
}

const SECRET = 'client-secret'
const EMAIL = 'anne@home.example'

const post = (path: string, body: unknown, token?: string): Promise<TestResponse> =>
  server.request('POST', path, { body, ...(token === undefined ? {} : { token }) })

const ask = (path: string, wish: object = {}): Promise<TestResponse> =>
  post(`${path}/email/requestToken`, { client_secret: SECRET, email: EMAIL, send_attempt: 1, ...wish })

/** The path of the link in mail `index`. */
async function link(index = sent.length): Promise<string> {
  await until(() => sent.length > index)
  const url = new URL(/https:\S+/.exec(sent[index]!.text)![0])
  expect(url.origin).toBe('https://matrix.finances.example')
  return url.pathname + url.search
}

/** Opens the link as a browser does and presses the button. */
async function press(path: string): Promise<Response> {
  const page = await server.request('GET', path)
  expect(page.status).toBe(200)
  const field = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.text)![1]!
  // oxlint-disable-next-line no-restricted-globals -- a browser on loopback
  return await fetch(server.url + path.split('?')[0]!, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ sid: field('sid'), token: field('token') }),
  })
}

/** The credentials of an address that was proved for the purpose of the path. */
async function proved(path: string, wish: object = {}): Promise<{ sid: string; client_secret: string }> {
  const before = sent.length
  const { status, body } = await ask(path, wish)
  expect(status).toBe(200)
  expect((await press(await link(before))).status).toBe(200)
  return { sid: body.sid as string, client_secret: SECRET }
}

const passwordAuth = (user: string, session?: string): object => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user },
  password: PASSWORD,
  ...(session === undefined ? {} : { session }),
})

async function withAddress(user: string, email = EMAIL): Promise<string> {
  const { access_token: token } = await server.fixture.user(user)
  const credentials = await proved('account/3pid', { email })
  expect((await post('account/3pid/add', { ...credentials, auth: passwordAuth(user) }, token)).status).toBe(
    200,
  )
  return token
}

const login = (body: object): Promise<TestResponse> =>
  post('login', { type: 'm.login.password', password: PASSWORD, ...body })

describe('addresses of an account', () => {
  it('are added once they are proved and the user has confirmed it, and are listed', async () => {
    await start()
    const { access_token: token } = await server.fixture.user('alice')
    const asked = await ask('account/3pid')
    expect(asked.body).toEqual({ sid: expect.stringMatching(/^[0-9a-zA-Z.=_-]{1,255}$/) })
    const credentials = { sid: asked.body.sid, client_secret: SECRET }
    const early = await post('account/3pid/add', credentials, token)
    expect([early.status, early.body.errcode]).toEqual([403, 'M_THREEPID_AUTH_FAILED'])
    expect((await press(await link(0))).status).toBe(200)
    const challenge = await post('account/3pid/add', credentials, token)
    expect(challenge.status).toBe(401)
    expect(challenge.body.flows).toEqual([{ stages: ['m.login.password'] }])
    const auth = passwordAuth('alice', challenge.body.session as string)
    const added = await post('account/3pid/add', { ...credentials, auth }, token)
    expect([added.status, added.body]).toEqual([200, {}])
    const list = await server.request('GET', 'account/3pid', { token })
    const now = server.fixture.clock.now()
    expect(list.body).toEqual({
      threepids: [{ medium: 'email', address: EMAIL, validated_at: now, added_at: now }],
    })
  })

  it('are not added with a wrong password, nor by somebody else', async () => {
    await start()
    const alice = await server.fixture.user('alice')
    const bob = await server.fixture.user('bob')
    const credentials = await proved('account/3pid')
    const wrong = { ...passwordAuth('alice'), password: 'wrong' }
    for (const [auth, token, status] of [
      [wrong, alice.access_token, 401],
      [passwordAuth('alice'), bob.access_token, 403],
    ] as const)
      expect((await post('account/3pid/add', { ...credentials, auth }, token)).status).toBe(status)
    expect((await post('account/3pid/add', credentials)).body.errcode).toBe('M_MISSING_TOKEN')
    const other = await post(
      'account/3pid/add',
      { ...credentials, client_secret: 'guess' },
      alice.access_token,
    )
    expect(other.body.errcode).toBe('M_THREEPID_AUTH_FAILED')
  })

  it('are removed, which says that nothing was bound', async () => {
    await start()
    const token = await withAddress('alice')
    const bob = await server.fixture.user('bob')
    const named = { medium: 'email', address: 'ANNE@home.example' }
    expect((await post('account/3pid/delete', named, bob.access_token)).body).toEqual({
      id_server_unbind_result: 'no-support',
    })
    expect((await server.request('GET', 'account/3pid', { token })).body.threepids).toHaveLength(1)
    expect((await post('account/3pid/unbind', named, token)).body).toEqual({
      id_server_unbind_result: 'no-support',
    })
    expect((await server.request('GET', 'account/3pid', { token })).body.threepids).toHaveLength(1)
    await post('account/3pid/delete', named, token)
    expect((await server.request('GET', 'account/3pid', { token })).body).toEqual({ threepids: [] })
    expect((await post('account/3pid/delete', { ...named, medium: 'fax' }, token)).status).toBe(400)
  })

  it('are not removed by who is suspended, but added', async () => {
    await start()
    const admin = await server.fixture.user('admin', { admin: true })
    const token = await withAddress('alice')
    await server.fixture.accounts.moderation.set(admin.user_id, '@alice:finances.example', 'suspended', true)
    const refused = await post('account/3pid/delete', { medium: 'email', address: EMAIL }, token)
    expect([refused.status, refused.body.errcode]).toEqual([403, 'M_USER_SUSPENDED'])
    const credentials = await proved('account/3pid', { email: 'anne2@home.example' })
    expect(
      (await post('account/3pid/add', { ...credentials, auth: passwordAuth('alice') }, token)).status,
    ).toBe(200)
  })

  it('are bound through no identity server', async () => {
    await start()
    const { access_token: token } = await server.fixture.user('alice')
    const credentials = { sid: 'x', client_secret: SECRET, id_server: 'id.example', id_access_token: 'y' }
    const bound = await post('account/3pid/bind', credentials, token)
    expect([bound.status, bound.body.errcode]).toEqual([403, 'M_SERVER_NOT_TRUSTED'])
    const old = await post('account/3pid', { three_pid_creds: credentials }, token)
    expect([old.status, old.body.errcode]).toEqual([403, 'M_SERVER_NOT_TRUSTED'])
    expect((await post('account/3pid/bind', { sid: 'x' }, token)).body.errcode).toBe('M_MISSING_PARAM')
  })

  it('serve to log in, in every spelling that the specification knows', async () => {
    await start()
    await withAddress('alice')
    for (const body of [
      { identifier: { type: 'm.id.thirdparty', medium: 'email', address: 'Anne@Home.example' } },
      { medium: 'email', address: EMAIL },
    ])
      expect((await login(body)).body.user_id).toBe('@alice:finances.example')
    for (const body of [
      { identifier: { type: 'm.id.thirdparty', medium: 'email', address: 'bob@home.example' } },
      { identifier: { type: 'm.id.thirdparty', medium: 'msisdn', address: '33123456789' } },
      { identifier: { type: 'm.id.phone', country: 'FR', phone: '0123456789' } },
      { identifier: { type: 'm.id.thirdparty', medium: 'email', address: EMAIL }, password: 'wrong' },
    ]) {
      const { status, body: answer } = await login(body)
      expect([status, answer.errcode]).toEqual([403, 'M_FORBIDDEN'])
    }
  })

  it('end with the account, and serve another one then', async () => {
    await start()
    const token = await withAddress('alice')
    const closed = await post('account/deactivate', { auth: passwordAuth('alice') }, token)
    expect(closed.body).toEqual({ id_server_unbind_result: 'success' })
    await withAddress('bob')
    expect(await server.fixture.threepids.ownerOf(EMAIL)).toBe('@bob:finances.example')
  })
})

describe('the request for a mail', () => {
  it('is answered alike whether or not the address has an account', async () => {
    await start({ accounts: { registration: { enabled: true, requireToken: false, email: 'optional' } } })
    await withAddress('alice')
    for (const [path, email] of [
      ['account/3pid', EMAIL],
      ['register', EMAIL],
      ['account/password', 'nobody@home.example'],
    ] as const) {
      const { status, body } = await ask(path, { email })
      expect([status, Object.keys(body as object)]).toEqual([200, ['sid']])
    }
  })

  it('is answered with the truth where the operator wants it so', async () => {
    await start({
      hideAddresses: false,
      accounts: { registration: { enabled: true, requireToken: false, email: 'optional' } },
    })
    await withAddress('alice')
    for (const [path, email, errcode] of [
      ['account/3pid', EMAIL, 'M_THREEPID_IN_USE'],
      ['register', EMAIL, 'M_THREEPID_IN_USE'],
      ['account/password', 'nobody@home.example', 'M_THREEPID_NOT_FOUND'],
    ] as const) {
      const { status, body } = await ask(path, { email, client_secret: 'other' })
      expect([status, body.errcode]).toEqual([400, errcode])
    }
  })

  it('is refused for what is no address, no secret, no attempt', async () => {
    await start()
    for (const [wish, errcode] of [
      [{ email: 'anne' }, 'M_INVALID_PARAM'],
      [{ email: 7 }, 'M_BAD_JSON'],
      [{ client_secret: 'a b' }, 'M_INVALID_PARAM'],
      [{ send_attempt: 'x' }, 'M_BAD_JSON'],
      [{ send_attempt: undefined }, 'M_MISSING_PARAM'],
    ] as const) {
      const { status, body } = await ask('account/3pid', wish)
      expect([status, body.errcode]).toEqual([400, errcode])
    }
    expect(sent).toEqual([])
  })

  it('is refused for telephones', async () => {
    await start()
    const body = { client_secret: SECRET, country: 'FR', phone_number: '0123456789', send_attempt: 1 }
    for (const path of ['account/3pid', 'register', 'account/password']) {
      const answer = await post(`${path}/msisdn/requestToken`, body)
      expect([answer.status, answer.body.errcode]).toEqual([400, 'M_THREEPID_MEDIUM_NOT_SUPPORTED'])
    }
  })

  it('is refused for a registration that is closed, without addresses, or of other domains', async () => {
    await start()
    expect((await ask('register')).body.errcode).toBe('M_FORBIDDEN')
    await server.close()
    await start({ accounts: { registration: { enabled: true } } })
    const off = await ask('register')
    expect([off.status, off.body.errcode]).toEqual([403, 'M_THREEPID_DENIED'])
    await server.close()
    await start({
      accounts: { registration: { enabled: true, email: 'required', emailDomains: ['gov.example'] } },
    })
    for (const email of [EMAIL, 'anne@sub.gov.example', 'anne@gov.example.evil.example']) {
      const { status, body } = await ask('register', { email })
      expect([status, body.errcode]).toEqual([403, 'M_THREEPID_DENIED'])
    }
    expect((await ask('register', { email: 'anne@GOV.example' })).status).toBe(200)
  })
})

describe('the page of the link', () => {
  it('confirms nothing by being looked at, and shows nothing unescaped', async () => {
    await start()
    await ask('account/3pid', { email: "o'neil&co@home.example" })
    const path = await link(0)
    const page = await server.request('GET', path)
    expect(page.text).toContain('o&#39;neil&amp;co@home.example')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    const sid = new URL(path, 'http://x').searchParams.get('sid')!
    const { access_token: token } = await server.fixture.user('alice')
    const early = await post('account/3pid/add', { sid, client_secret: SECRET }, token)
    expect(early.body.errcode).toBe('M_THREEPID_AUTH_FAILED')
    expect((await press(path)).status).toBe(200)
    // Once: whoever finds the mail later can do nothing with it.
    expect((await server.request('GET', path)).status).toBe(400)
  })

  it('says to what a person agrees', async () => {
    await start()
    await withAddress('alice')
    await ask('account/password')
    const page = await server.request('GET', await link(1))
    expect(page.text).toContain('for a new password')
  })

  it('answers hostile parameters with one and the same page', async () => {
    await start()
    const { body } = await ask('account/3pid')
    const bad = ['', '?sid=%3Cscript%3E', `?sid=${body.sid}&token=%22%3E%3Cscript%3E`]
    const pages = await Promise.all(
      bad.map((query) => server.request('GET', `/_chancery/email/confirm${query}`)),
    )
    for (const page of pages) {
      expect(page.status).toBe(400)
      expect(page.text).toBe(pages[0]!.text)
    }
  })

  it('leads to the next link where that is allowed, and nowhere else', async () => {
    await start({ nextLinks: ['https://app.example/'] })
    await ask('account/3pid', { next_link: 'https://app.example/done' })
    const good = await press(await link(0))
    expect([good.status, good.headers.get('location')]).toEqual([303, 'https://app.example/done'])
    await ask('account/3pid', { next_link: 'https://evil.example/', client_secret: 'other' })
    const evil = await press(await link(1))
    expect([evil.status, evil.headers.get('location')]).toEqual([200, null])
  })
})

describe('a registration with an address', () => {
  const REQUIRED = { registration: { enabled: true, requireToken: false, email: 'required' } } as const

  const register = (body: object): Promise<TestResponse> =>
    post('register', { username: 'anne', password: PASSWORD, ...body })

  it('waits for the mail to be opened, however often the client asks, and keeps the address', async () => {
    await start({ accounts: REQUIRED })
    const challenge = await register({})
    expect(challenge.body.flows).toEqual([{ stages: ['m.login.email.identity'] }])
    const session = challenge.body.session as string
    const { body: asked } = await ask('register')
    const auth = {
      type: 'm.login.email.identity',
      threepid_creds: { sid: asked.sid as string, client_secret: SECRET },
      session,
    }
    for (let i = 0; i < 30; i++) {
      const waiting = await register({ auth })
      expect([waiting.status, waiting.body.errcode, waiting.body.session]).toEqual([
        401,
        'M_THREEPID_AUTH_FAILED',
        session,
      ])
    }
    await press(await link(0))
    const done = await register({ auth })
    expect([done.status, done.body.user_id]).toEqual([200, '@anne:finances.example'])
    expect(await server.fixture.threepids.ownerOf(EMAIL)).toBe('@anne:finances.example')
    // The proof has served.
    const again = await register({ username: 'anne2', auth: { ...auth, session: undefined } })
    expect([again.status, again.body.errcode]).toEqual([401, 'M_THREEPID_AUTH_FAILED'])
  })

  it('does not take an address that was proved for something else', async () => {
    await start({ accounts: REQUIRED })
    const threepid_creds = await proved('account/3pid')
    const answer = await register({ auth: { type: 'm.login.email.identity', threepid_creds } })
    expect([answer.status, answer.body.errcode]).toEqual([401, 'M_THREEPID_AUTH_FAILED'])
  })

  it('fails whole when somebody else took the address meanwhile', async () => {
    await start({ accounts: REQUIRED })
    const threepid_creds = await proved('register')
    await withAddress('bob')
    const answer = await register({ auth: { type: 'm.login.email.identity', threepid_creds } })
    expect([answer.status, answer.body.errcode]).toEqual([400, 'M_THREEPID_IN_USE'])
    expect((await login({ identifier: { type: 'm.id.user', user: 'anne' } })).status).toBe(403)
  })

  it('needs both where a token is asked for, and may go without where it is optional', async () => {
    await start({ accounts: { registration: { enabled: true, email: 'required' } } })
    expect((await register({})).body.flows).toEqual([
      { stages: ['m.login.email.identity', 'm.login.registration_token'] },
    ])
    const token = await server.fixture.accounts.registrationTokens.create({ usesAllowed: 1 })
    const threepid_creds = await proved('register')
    const first = await register({ auth: { type: 'm.login.email.identity', threepid_creds } })
    expect([first.status, first.body.completed]).toEqual([401, ['m.login.email.identity']])
    const session = first.body.session as string
    const done = await register({ auth: { type: 'm.login.registration_token', token, session } })
    expect(done.status).toBe(200)
    expect(await server.fixture.threepids.ownerOf(EMAIL)).toBe('@anne:finances.example')
    await server.close()
    await start({ accounts: { registration: { enabled: true, requireToken: false, email: 'optional' } } })
    expect((await register({ auth: { type: 'm.login.dummy' } })).status).toBe(200)
  })

  it('can be done on the fallback page', async () => {
    await start({ accounts: REQUIRED })
    const session = (await register({})).body.session as string
    const path = '/_matrix/client/v3/auth/m.login.email.identity/fallback/web'
    expect((await server.request('GET', `${path}?session=${session}`)).text).toContain('name="email"')
    // oxlint-disable-next-line no-restricted-globals -- a browser on loopback
    const submit = async (fields: Record<string, string>): Promise<string> =>
      await (await fetch(server.url + path, { method: 'POST', body: new URLSearchParams(fields) })).text()
    expect(await submit({ session, email: '<b>' })).toContain('not an e-mail address')
    const waiting = await submit({ session, email: EMAIL })
    const sid = /name="sid" value="([^"]*)"/.exec(waiting)![1]!
    expect(await submit({ session, sid })).toContain('not confirmed')
    await press(await link(0))
    expect(await submit({ session, sid })).toContain('onAuthDone')
    expect((await register({ auth: { session } })).body.user_id).toBe('@anne:finances.example')
  })
})

describe('a new password by mail', () => {
  const reset = (body: object, token?: string): Promise<TestResponse> =>
    post('account/password', { new_password: 'new horse battery', ...body }, token)

  it('is set for whoever has the mailbox, and ends all sessions', async () => {
    await start()
    const token = await withAddress('alice')
    expect((await reset({})).body.flows).toEqual([{ stages: ['m.login.email.identity'] }])
    const { body: asked } = await ask('account/password')
    const auth = {
      type: 'm.login.email.identity',
      threepid_creds: { sid: asked.sid as string, client_secret: SECRET },
    }
    expect((await reset({ auth })).body.errcode).toBe('M_THREEPID_AUTH_FAILED')
    await press(await link(1))
    const done = await reset({ auth })
    expect([done.status, done.body]).toEqual([200, {}])
    expect((await server.request('GET', 'account/whoami', { token })).body.errcode).toBe('M_UNKNOWN_TOKEN')
    const identifier = { type: 'm.id.user', user: 'alice' }
    expect((await login({ identifier })).status).toBe(403)
    expect((await login({ identifier, password: 'new horse battery' })).status).toBe(200)
    expect((await reset({ auth })).status).toBe(401)
  })

  it('leaves the devices where that is asked', async () => {
    await start()
    const token = await withAddress('alice')
    const threepid_creds = await proved('account/password')
    const auth = { type: 'm.login.email.identity', threepid_creds }
    expect((await reset({ auth, logout_devices: false })).status).toBe(200)
    expect((await server.request('GET', 'account/whoami', { token })).status).toBe(200)
  })

  it('is set by nobody through another address, purpose or account', async () => {
    await start()
    await withAddress('alice')
    const bob = await withAddress('bob', 'bob@home.example')
    const forAdding = await proved('account/3pid', { email: 'new@home.example' })
    const answer = await reset({ auth: { type: 'm.login.email.identity', threepid_creds: forAdding } })
    expect(answer.body.errcode).toBe('M_THREEPID_AUTH_FAILED')
    // Bob is logged in and has Alice's mailbox: that does not change his password, nor hers.
    const hers = await proved('account/password')
    const crossed = await reset({ auth: { type: 'm.login.email.identity', threepid_creds: hers } }, bob)
    expect([crossed.status, crossed.body.errcode]).toEqual([401, 'M_THREEPID_AUTH_FAILED'])
    expect((await login({ identifier: { type: 'm.id.user', user: 'alice' } })).status).toBe(200)
    expect((await login({ identifier: { type: 'm.id.user', user: 'bob' } })).status).toBe(200)
  })

  it('is not too short, and is refused before a proof is used', async () => {
    await start()
    await withAddress('alice')
    const threepid_creds = await proved('account/password')
    const auth = { type: 'm.login.email.identity', threepid_creds }
    expect((await reset({ new_password: 'x', auth })).body.errcode).toBe('M_WEAK_PASSWORD')
    expect((await reset({ auth })).status).toBe(200)
  })

  it('needs a token on a server without mail', async () => {
    server = await startAccountsServer()
    expect((await reset({})).body.errcode).toBe('M_MISSING_TOKEN')
    expect((await ask('account/password')).body.errcode).toBe('M_THREEPID_MEDIUM_NOT_SUPPORTED')
  })
})
