import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, logIn, register, startSync, v3, type Answer, type User } from '../harness/client.js'
import { homeserver, type Homeserver } from '../harness/homeserver.js'

const LONG_POLL_MS = 28_000

let server: Homeserver
let node: { readonly url: string }
beforeAll(async () => {
  server = await homeserver()
  node = server
})
afterAll(() => server.dispose())

/** The answer to a long poll during which something happens. */
async function pollWhile(user: User, happens: () => Promise<unknown>): Promise<Answer & { ms: number }> {
  const { since } = await startSync(user)
  const started = Date.now()
  const poll = user.call('GET', v3('/sync'), { query: { since, timeout: LONG_POLL_MS } })
  // Long enough for the poll to wait; were it not, the test would still have to pass.
  await new Promise((resolve) => setTimeout(resolve, 300))
  await happens()
  return { ...(await poll), ms: Date.now() - started }
}

const withPassword = (user: User): object => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: user.userId },
  password: user.password,
})

const ENDS: readonly (readonly [string, (own: User, other: User) => Promise<unknown>])[] = [
  ['the session logs out', (own) => own.ok('POST', v3('/logout'))],
  ['another session logs all out', (_own, other) => other.ok('POST', v3('/logout/all'))],
  [
    'another session deletes its device',
    (own, other) =>
      other.ok('POST', v3('/delete_devices'), { devices: [own.deviceId], auth: withPassword(own) }),
  ],
  [
    'the password is changed and other devices are logged out',
    (own, other) =>
      other.ok('POST', v3('/account/password'), { new_password: 'a new password', auth: withPassword(own) }),
  ],
  [
    'the account is deactivated',
    (own, other) => other.ok('POST', v3('/account/deactivate'), { auth: withPassword(own) }),
  ],
]

describe('a long poll', () => {
  it.each(ENDS)('is answered with M_UNKNOWN_TOKEN at once when %s', async (_what, end) => {
    const own = await register(node.url)
    const other = await logIn(own)
    const answer = await pollWhile(own, () => end(own, other))
    expect({ status: answer.status, errcode: answer.body.errcode }).toEqual({
      status: 401,
      errcode: 'M_UNKNOWN_TOKEN',
    })
    expect(answer.body.soft_logout).toBeUndefined()
    expect(answer.ms).toBeLessThan(LONG_POLL_MS - 5_000)
  })

  it('is told to log in again, not that its device is gone, when the device logs in elsewhere', async () => {
    const own = await register(node.url)
    const answer = await pollWhile(own, () =>
      call(node.url, 'POST', v3('/login'), { body: { ...withPassword(own), device_id: own.deviceId } }),
    )
    expect({ status: answer.status, ...answer.body, error: '' }).toEqual({
      status: 401,
      errcode: 'M_UNKNOWN_TOKEN',
      error: '',
      soft_logout: true,
    })
  })

  it('is answered with M_USER_LOCKED at once when the account is locked, and asks no more until it is unlocked', async () => {
    const root = await server.administrator()
    const own = await register(node.url)
    const lock = (locked: boolean): Promise<unknown> =>
      root.ok('PUT', `/_matrix/client/v1/admin/lock/${encodeURIComponent(own.userId)}`, { locked })
    const answer = await pollWhile(own, () => lock(true))
    expect({ status: answer.status, ...answer.body, error: '' }).toEqual({
      status: 401,
      errcode: 'M_USER_LOCKED',
      error: '',
      soft_logout: true,
    })
    expect(answer.ms).toBeLessThan(LONG_POLL_MS - 5_000)
    const again = await own.call('GET', v3('/sync'), { query: { timeout: 15_000 } })
    expect([again.status, again.body.errcode]).toEqual([401, 'M_USER_LOCKED'])
    await lock(false)
    expect((await own.call('GET', v3('/sync'))).status).toBe(200)
  })

  it('of another session goes on when one ends', async () => {
    const own = await register(node.url)
    const other = await logIn(own)
    const { since } = await startSync(other)
    const poll = other.call('GET', v3('/sync'), { query: { since, timeout: 1_500 } })
    await own.ok('POST', v3('/logout'))
    expect((await poll).status).toBe(200)
  })
})
