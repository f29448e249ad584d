import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { AppserviceIdentity } from '../../services/accounts/appservice.js'
import { SERVER_NAME } from '../../services/accounts/testing.js'
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

describe('application services', () => {
  it('register and log in users of their namespace, and act as them', async () => {
    const type = 'm.login.application_service'
    const asToken = { token: 'as_secret' }
    const created = await request('POST', 'register', {
      ...asToken,
      body: { type, username: 'irc_bob', inhibit_login: true },
    })
    expect(created.body).toEqual({ user_id: `@irc_bob:${SERVER_NAME}`, home_server: SERVER_NAME })
    const outside = await request('POST', 'register', { ...asToken, body: { type, username: 'bob' } })
    expect(outside.body.errcode).toBe('M_EXCLUSIVE')
    const wrong = await request('POST', 'register', { token: 'no', body: { type, username: 'irc_x' } })
    expect(wrong).toMatchObject({ status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } })

    const as = `user_id=${encodeURIComponent(`@irc_bob:${SERVER_NAME}`)}`
    expect((await request('GET', `account/whoami?${as}`, asToken)).body.user_id).toBe(
      `@irc_bob:${SERVER_NAME}`,
    )
    expect((await request('GET', 'account/whoami', asToken)).body.user_id).toBe(IRC.senderUserId)
    expect((await request('GET', `account/whoami?user_id=@irc_no:${SERVER_NAME}`, asToken)).status).toBe(403)
    expect((await request('GET', `account/whoami?user_id=${alice.user_id}`, asToken)).status).toBe(403)
    expect((await request('GET', `account/whoami?${as}&device_id=NO`, asToken)).body.errcode).toBe(
      'M_UNKNOWN_DEVICE',
    )
    const put = (): Promise<TestResponse> => request('PUT', `devices/BRIDGE?${as}`, { ...asToken, body: {} })
    expect((await put()).status).toBe(201)
    expect((await put()).status).toBe(200)
    const whoami = await request('GET', `account/whoami?${as}&device_id=BRIDGE`, asToken)
    expect(whoami.body.device_id).toBe('BRIDGE')
    expect((await request('DELETE', `devices/BRIDGE?${as}`, asToken)).status).toBe(200)

    const login = (user: string): Promise<TestResponse> =>
      request('POST', 'login', { ...asToken, body: { type, identifier: { type: 'm.id.user', user } } })
    expect((await login('irc_bob')).status).toBe(200)
    await server.fixture.accounts.moderation.set(alice.user_id, `@irc_bob:${SERVER_NAME}`, 'locked', true)
    expect((await request('GET', `account/whoami?${as}`, asToken)).body.errcode).toBe('M_USER_LOCKED')
    expect((await login('irc_bob')).body.errcode).toBe('M_USER_LOCKED')
    expect((await login('alice')).body.errcode).toBe('M_EXCLUSIVE')
    expect((await login('irc_nobody')).body.errcode).toBe('M_FORBIDDEN')
  })

  it('nobody else can act as another user by a query parameter', async () => {
    const bob = await server.fixture.user('bob')
    const answer = await request('GET', `account/whoami?user_id=${bob.user_id}`, { token: token() })
    expect(answer.body.user_id).toBe(alice.user_id)
  })
})
