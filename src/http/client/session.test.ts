import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { AppserviceIdentity } from '../../services/accounts/appservice.js'
import { PASSWORD, SERVER_NAME } from '../../services/accounts/testing.js'
import type { SessionAnswer } from '../../services/accounts/sessions.js'
import type { TestRequest, TestResponse } from '../testing.js'
import { startAccountsServer, type AccountsServer } from './testing.js'

const IRC: AppserviceIdentity = {
  id: 'irc',
  senderUserId: `@ircbot:${SERVER_NAME}`,
  ownsUser: (userId) => userId.startsWith('@irc'),
}

let server: AccountsServer
let alice: SessionAnswer
beforeEach(async () => {
  server = await startAccountsServer({
    deps: {
      appservices: {
        byToken: (token) => (token === 'as_secret' ? IRC : undefined),
        exclusiveOwner: (userId) => (IRC.ownsUser(userId) ? 'irc' : undefined),
      },
    },
  })
  alice = await server.fixture.user('alice')
})
afterEach(() => server.close())

const request = (method: string, path: string, options?: TestRequest): Promise<TestResponse> =>
  server.request(method, path, options)
const token = (): string => alice.access_token
const passwordAuth = (session: string, password = PASSWORD): object => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: 'alice' },
  password,
  session,
})

/** Sends a request twice: without proof, and with the password. */
async function confirmed(method: string, path: string, body: object = {}): Promise<TestResponse> {
  const first = await request(method, path, { token: token(), body })
  expect(first.status).toBe(401)
  return await request(method, path, {
    token: token(),
    body: { ...body, auth: passwordAuth(first.body.session) },
  })
}

describe('POST /login', () => {
  const login = (body: object): Promise<TestResponse> => request('POST', 'login', { body })

  it('says which flows there are, under the old name of the API too', async () => {
    const flows = [
      { type: 'm.login.password' },
      { type: 'm.login.token', get_login_token: true },
      { type: 'm.login.application_service' },
    ]
    expect((await request('GET', 'login')).body).toEqual({ flows })
    expect((await request('GET', '/_matrix/client/r0/login')).body).toEqual({ flows })
  })

  it('takes the identifier, or the old `user`', async () => {
    const identifier = { type: 'm.id.user', user: 'alice' }
    const one = await login({ type: 'm.login.password', identifier, password: PASSWORD })
    expect(one).toMatchObject({ status: 200, body: { user_id: alice.user_id } })
    expect(one.body.device_id).toMatch(/^[A-Z]{10}$/)
    const two = await login({ type: 'm.login.password', user: alice.user_id, password: PASSWORD })
    expect(two.status).toBe(200)
  })

  it.each<[number, string, object]>([
    [400, 'M_MISSING_PARAM', {}],
    [400, 'M_BAD_JSON', { type: 7 }],
    [400, 'M_UNKNOWN', { type: 'm.login.sso' }],
    [400, 'M_UNKNOWN', { type: '__proto__' }],
    [400, 'M_MISSING_PARAM', { type: 'm.login.password' }],
    [400, 'M_MISSING_PARAM', { type: 'm.login.password', user: 'alice' }],
    [400, 'M_BAD_JSON', { type: 'm.login.password', user: 'alice', password: null }],
    [400, 'M_MISSING_PARAM', { type: 'm.login.password', identifier: { type: 'm.id.user' }, password: 'x' }],
    [
      403,
      'M_FORBIDDEN',
      {
        type: 'm.login.password',
        identifier: { type: 'm.id.thirdparty', medium: 'email', address: 'a@b.example' },
        password: 'x',
      },
    ],
    [400, 'M_UNKNOWN', { type: 'm.login.password', identifier: { type: 'm.id.other' }, password: 'x' }],
    [403, 'M_FORBIDDEN', { type: 'm.login.password', user: 'alice', password: 'wrong' }],
    [403, 'M_FORBIDDEN', { type: 'm.login.password', user: 'a\u0000', password: PASSWORD }],
    [403, 'M_FORBIDDEN', { type: 'm.login.token', token: 'wrong' }],
    [400, 'M_INVALID_PARAM', { type: 'm.login.password', user: 'alice', password: PASSWORD, device_id: '' }],
    [401, 'M_MISSING_TOKEN', { type: 'm.login.application_service', user: '@irc_bob' }],
  ])('answers %i %s: %#', async (status, errcode, body) => {
    expect(await login(body)).toMatchObject({ status, body: { errcode } })
  })

  it('answers M_NOT_JSON and M_BAD_JSON to what is no object', async () => {
    expect((await request('POST', 'login', { body: '{' })).body.errcode).toBe('M_NOT_JSON')
    expect((await request('POST', 'login', { body: '[]' })).body.errcode).toBe('M_BAD_JSON')
  })

  it('cuts a device name that is too long, and drops NUL', async () => {
    const body = { type: 'm.login.password', user: 'alice', password: PASSWORD, device_id: 'X' }
    await login({ ...body, initial_device_display_name: '\u0000' + '\ud83d\ude00'.repeat(500) })
    const device = (await request('GET', 'devices/X', { token: token() })).body
    expect(device.display_name).toBe('\ud83d\ude00'.repeat(100))
  })
})

describe('access tokens of requests', () => {
  it('are taken from the header or the query string, and refused when both differ', async () => {
    expect((await request('GET', `account/whoami?access_token=${token()}`)).status).toBe(200)
    expect(await request('GET', 'account/whoami?access_token=x', { token: token() })).toMatchObject({
      status: 401,
      body: { errcode: 'M_UNKNOWN_TOKEN' },
    })
    expect((await request('GET', 'account/whoami')).body.errcode).toBe('M_MISSING_TOKEN')
    expect((await request('GET', 'account/whoami', { token: 'x' })).body.errcode).toBe('M_UNKNOWN_TOKEN')
  })
})

describe('POST /v1/login/get_token', () => {
  it('asks for the password each time, and gives a token for one log-in', async () => {
    const issued = await confirmed('POST', '/_matrix/client/v1/login/get_token')
    expect(issued).toMatchObject({ status: 200, body: { expires_in_ms: 120_000 } })
    const body = { type: 'm.login.token', token: issued.body.login_token }
    expect((await request('POST', 'login', { body })).body.user_id).toBe(alice.user_id)
    expect((await request('POST', 'login', { body })).status).toBe(403)
    expect((await confirmed('POST', '/_matrix/client/v1/login/get_token')).status).toBe(200)
  })
})

describe('POST /account/password', () => {
  it('ends the other sessions, keeps this one, and the old password is void', async () => {
    const other = await server.fixture.login('alice')
    expect((await confirmed('POST', 'account/password', { new_password: 'battery staple' })).status).toBe(200)
    expect((await request('GET', 'account/whoami', { token: token() })).status).toBe(200)
    expect((await request('GET', 'account/whoami', { token: other.access_token })).status).toBe(401)
    await expect(server.fixture.login('alice')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await server.fixture.login('alice', { password: 'battery staple' })
  })

  it('keeps the other sessions when asked to', async () => {
    const other = await server.fixture.login('alice')
    await confirmed('POST', 'account/password', { new_password: 'battery staple', logout_devices: false })
    expect((await request('GET', 'account/whoami', { token: other.access_token })).status).toBe(200)
  })

  it('refuses a weak password before asking, and a changed one after', async () => {
    const post = (body: object): Promise<TestResponse> =>
      request('POST', 'account/password', { token: token(), body })
    expect((await post({ new_password: 'x' })).body.errcode).toBe('M_WEAK_PASSWORD')
    expect((await post({})).body.errcode).toBe('M_MISSING_PARAM')
    const { session } = (await post({ new_password: 'battery staple' })).body
    const swapped = await post({ new_password: 'attacker staple', auth: passwordAuth(session) })
    expect(swapped.status).toBe(401)
    await server.fixture.login('alice')
  })
})

describe('POST /account/deactivate', () => {
  it('asks for the password and closes the account', async () => {
    expect(await confirmed('POST', 'account/deactivate', { erase: true })).toMatchObject({
      status: 200,
      body: { id_server_unbind_result: 'success' },
    })
    expect((await request('GET', 'account/whoami', { token: token() })).body).toMatchObject({
      errcode: 'M_UNKNOWN_TOKEN',
    })
    const body = { type: 'm.login.password', user: 'alice', password: PASSWORD }
    expect(await request('POST', 'login', { body })).toMatchObject({
      status: 403,
      body: { errcode: 'M_USER_DEACTIVATED' },
    })
    expect((await request('GET', `profile/${alice.user_id}`)).status).toBe(404)
  })
})

describe('devices', () => {
  it('are listed, renamed and deleted, with the password', async () => {
    const phone = await server.fixture.login('alice', { deviceId: 'PHONE' })
    const path = 'devices/PHONE'
    expect((await request('PUT', path, { token: token(), body: { display_name: 'My phone' } })).status).toBe(
      200,
    )
    expect((await request('GET', path, { token: token() })).body).toMatchObject({ display_name: 'My phone' })
    expect((await request('PUT', path, { token: token(), body: {} })).status).toBe(200)
    expect((await request('GET', 'devices', { token: token() })).body.devices).toHaveLength(2)
    expect((await confirmed('DELETE', path)).status).toBe(200)
    expect((await request('GET', path, { token: token() })).status).toBe(404)
    expect((await request('GET', 'account/whoami', { token: phone.access_token })).status).toBe(401)
    expect((await confirmed('DELETE', path)).status).toBe(200)
  })

  it('are deleted several at once; a proof for some does not serve for others', async () => {
    for (const deviceId of ['A', 'B', 'C']) await server.fixture.login('alice', { deviceId })
    const first = await request('POST', 'delete_devices', { token: token(), body: { devices: ['A'] } })
    const stolen = await request('POST', 'delete_devices', {
      token: token(),
      body: { devices: ['B', 'C'], auth: passwordAuth(first.body.session) },
    })
    expect(stolen.status).toBe(401)
    expect((await confirmed('POST', 'delete_devices', { devices: ['A', 'B', 'NONE'] })).status).toBe(200)
    const ids = (await request('GET', 'devices', { token: token() })).body.devices.map(
      (device: { device_id: string }) => device.device_id,
    )
    expect(ids.toSorted()).toEqual(['C', alice.device_id].toSorted())
  })

  it.each<[string, object, number, string]>([
    ['PHONE', { display_name: 'x'.repeat(101) }, 400, 'M_TOO_LARGE'],
    ['PHONE', { display_name: 7 }, 400, 'M_BAD_JSON'],
    ['PHONE', { display_name: 'a\u0000' }, 400, 'M_INVALID_PARAM'],
    ['NONE', { display_name: 'x' }, 404, 'M_NOT_FOUND'],
    ['NONE', {}, 404, 'M_NOT_FOUND'],
    ['x'.repeat(300), {}, 400, 'M_INVALID_PARAM'],
    ['__proto__', { display_name: 'x' }, 404, 'M_NOT_FOUND'],
  ])('PUT %#: %j is refused', async (deviceId, body, status, errcode) => {
    await server.fixture.login('alice', { deviceId: 'PHONE' })
    const answer = await request('PUT', `devices/${deviceId}`, { token: token(), body })
    expect(answer).toMatchObject({ status, body: { errcode } })
  })

  it('of other users cannot be seen', async () => {
    await server.fixture.user('bob')
    await server.fixture.login('bob', { deviceId: 'BOBS' })
    expect((await request('GET', 'devices/BOBS', { token: token() })).status).toBe(404)
    await confirmed('DELETE', 'devices/BOBS')
    expect(await server.fixture.devices.get(`@bob:${SERVER_NAME}`, 'BOBS')).toEqual({ device_id: 'BOBS' })
  })
})

describe('POST /logout', () => {
  it('works without a body, for locked accounts too', async () => {
    const admin = await server.fixture.user('root', { admin: true })
    const lock = `/_matrix/client/v1/admin/lock/${alice.user_id}`
    expect((await request('GET', lock, { token: admin.access_token })).body).toEqual({ locked: false })
    const put = await request('PUT', lock, { token: admin.access_token, body: { locked: true } })
    expect(put.body).toEqual({ locked: true })
    expect(await request('GET', 'account/whoami', { token: token() })).toMatchObject({
      status: 401,
      body: { errcode: 'M_USER_LOCKED', soft_logout: true },
    })
    const second = await request('POST', 'logout', { token: token() })
    expect(second).toMatchObject({ status: 200, body: {} })
    expect((await request('POST', 'logout', { token: token() })).body.errcode).toBe('M_UNKNOWN_TOKEN')
    expect((await request('POST', 'logout/all', { token: admin.access_token, body: {} })).status).toBe(200)
  })
})

describe('POST /refresh', () => {
  it('refuses what it does not know', async () => {
    const refresh = (body: object): Promise<TestResponse> => request('POST', 'refresh', { body })
    expect(await refresh({ refresh_token: 'x' })).toMatchObject({
      status: 401,
      body: { errcode: 'M_UNKNOWN_TOKEN' },
    })
    expect((await refresh({ refresh_token: token() })).status).toBe(401)
    expect((await refresh({})).body.errcode).toBe('M_MISSING_PARAM')
    expect((await refresh({ refresh_token: 7 })).body.errcode).toBe('M_BAD_JSON')
  })
})
