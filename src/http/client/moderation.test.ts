import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { SERVER_NAME } from '../../services/accounts/testing.js'
import type { SessionAnswer } from '../../services/accounts/sessions.js'
import type { TestRequest, TestResponse } from '../testing.js'
import { startAccountsServer, type AccountsServer } from './testing.js'

let server: AccountsServer
let alice: SessionAnswer
beforeEach(async () => {
  server = await startAccountsServer()
  alice = await server.fixture.user('alice')
})
afterEach(() => server.close())

const request = (method: string, path: string, options?: TestRequest): Promise<TestResponse> =>
  server.request(method, path, options)
const token = (): string => alice.access_token

describe('moderation', () => {
  it('is for administrators, not on themselves or each other, and tells others nothing', async () => {
    const root = await server.fixture.user('root', { admin: true })
    const chief = await server.fixture.user('chief', { admin: true })
    const path = (userId: string, flag = 'suspend'): string => `/_matrix/client/v1/admin/${flag}/${userId}`
    const set = (
      by: SessionAnswer,
      userId: string,
      body: object = { suspended: true },
    ): Promise<TestResponse> => request('PUT', path(userId), { token: by.access_token, body })
    expect((await set(alice, root.user_id)).status).toBe(403)
    expect((await set(alice, `@nobody:${SERVER_NAME}`)).status).toBe(403)
    expect((await set(root, root.user_id)).status).toBe(403)
    expect((await set(root, chief.user_id)).status).toBe(403)
    expect((await set(root, `@nobody:${SERVER_NAME}`)).body.errcode).toBe('M_NOT_FOUND')
    expect((await set(root, '@x:other.example')).body.errcode).toBe('M_INVALID_PARAM')
    expect((await set(root, 'junk')).body.errcode).toBe('M_INVALID_PARAM')
    expect((await set(root, alice.user_id, {})).body.errcode).toBe('M_MISSING_PARAM')
    expect((await set(root, alice.user_id, { suspended: 1 })).body.errcode).toBe('M_BAD_JSON')
    expect((await set(root, alice.user_id)).body).toEqual({ suspended: true })
    expect((await request('GET', path(alice.user_id), { token: root.access_token })).body).toEqual({
      suspended: true,
    })
    const rename = await request('PUT', `profile/${alice.user_id}/displayname`, {
      token: token(),
      body: { displayname: 'x' },
    })
    expect(rename).toMatchObject({ status: 403, body: { errcode: 'M_USER_SUSPENDED' } })
  })

  it('whois shows devices to administrators and to oneself', async () => {
    const root = await server.fixture.user('root', { admin: true })
    await request('GET', 'account/whoami', { token: token() })
    await server.fixture.accounts.lastSeen.flush()
    const whois = await request('GET', `admin/whois/${alice.user_id}`, { token: root.access_token })
    expect(whois.body.user_id).toBe(alice.user_id)
    expect(whois.body.devices[alice.device_id].sessions[0].connections).toMatchObject([{ ip: '127.0.0.1' }])
    expect((await request('GET', `admin/whois/${alice.user_id}`, { token: token() })).status).toBe(200)
    expect((await request('GET', `admin/whois/${root.user_id}`, { token: token() })).status).toBe(403)
  })
})
