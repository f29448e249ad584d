import { afterEach, describe, expect, it } from '@jest/globals'
import { all, run } from '../../storage/tx.js'
import type { Accounts } from './accounts.js'
import { accountsFixture, CONTEXT, errorOf, type AccountsFixture } from './testing.js'

let fixture: AccountsFixture | undefined
afterEach(async () => {
  await fixture?.close()
  fixture = undefined
})

const check = (accounts: Accounts, token: string): Promise<unknown> => accounts.authenticate(token, CONTEXT)

describe('access tokens', () => {
  it('say whose session a request belongs to, in this process and after a restart', async () => {
    fixture = await accountsFixture()
    const session = await fixture.user('alice')
    const expected = { userId: '@alice:finances.example', deviceId: session.device_id, isAdmin: false }
    expect(await check(fixture.accounts, session.access_token)).toMatchObject(expected)
    expect(await check(fixture.restarted(), session.access_token)).toMatchObject(expected)
  })

  it('are not in the database as they are', async () => {
    fixture = await accountsFixture()
    const session = await fixture.user('alice')
    const rows = await fixture.store.read('test', () => all('SELECT * FROM access_tokens'))
    expect(rows).toHaveLength(1)
    expect(JSON.stringify(rows)).not.toContain(session.access_token.slice(4))
  })

  it('are served from memory the second time', async () => {
    fixture = await accountsFixture()
    const { store, accounts } = fixture
    const session = await fixture.user('alice')
    const first = await check(accounts, session.access_token)
    await store.write('test', () => run('DELETE FROM access_tokens'))
    expect(await check(accounts, session.access_token)).toBe(first)
    fixture.clock.advance(31_000)
    expect(await errorOf(check(accounts, session.access_token))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
  })

  it.each(['', 'x', 'cha_' + 'x'.repeat(40), '\u0000', "' OR 1=1 --", 'x'.repeat(100_000)])(
    'that were never given out are refused: %#',
    async (token) => {
      fixture = await accountsFixture()
      const error = await errorOf(check(fixture.accounts, token))
      expect(error).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN', extra: {} })
    },
  )

  it('end with log-out, for cached tokens too, and the device goes with them', async () => {
    fixture = await accountsFixture()
    const { accounts, devices } = fixture
    const one = await fixture.user('alice')
    const two = await fixture.login('alice')
    await check(accounts, one.access_token)
    await accounts.sessions.logout(one.user_id, one.device_id)
    expect(await errorOf(check(accounts, one.access_token))).toMatchObject({ extra: {} })
    expect(await devices.list(one.user_id)).toEqual([{ device_id: two.device_id }])
    await check(accounts, two.access_token)
    await accounts.sessions.logoutAll(one.user_id)
    expect(await errorOf(check(accounts, two.access_token))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
    expect(await devices.list(one.user_id)).toEqual([])
  })

  it('are not remembered when a log-out overtakes their look-up', async () => {
    fixture = await accountsFixture()
    const { accounts } = fixture
    const session = await fixture.user('alice')
    await Promise.allSettled([
      check(accounts, session.access_token),
      accounts.sessions.logout(session.user_id, session.device_id),
      check(accounts, session.access_token),
    ])
    expect(await errorOf(check(accounts, session.access_token))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
  })

  it('are replaced by a new log-in of the same device', async () => {
    fixture = await accountsFixture()
    const { accounts, devices } = fixture
    await fixture.user('alice')
    const old = await fixture.login('alice', { deviceId: 'PHONE' })
    await check(accounts, old.access_token)
    const fresh = await fixture.login('alice', { deviceId: 'PHONE' })
    expect(fresh.device_id).toBe('PHONE')
    expect(await errorOf(check(accounts, old.access_token))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
    await check(accounts, fresh.access_token)
    expect(await devices.list(fresh.user_id)).toHaveLength(2)
  })

  it('expire softly: the client may log in again and keep its keys', async () => {
    fixture = await accountsFixture({ tokens: { nonRefreshableMs: 60_000 } })
    const { accounts, clock } = fixture
    const session = await fixture.user('alice')
    expect(session.expires_in_ms).toBe(60_000)
    await check(accounts, session.access_token)
    clock.advance(60_000)
    const soft = { errcode: 'M_UNKNOWN_TOKEN', extra: { soft_logout: true } }
    expect(await errorOf(check(accounts, session.access_token))).toMatchObject(soft)
    expect(await errorOf(check(fixture.restarted(), session.access_token))).toMatchObject(soft)
  })
})

describe('refresh tokens', () => {
  const tokens = { refreshableMs: 300_000 }
  const withRefresh = async (): Promise<{ access: string; refresh: string; userId: string }> => {
    fixture = await accountsFixture({ tokens })
    await fixture.user('alice')
    const session = await fixture.login('alice', { deviceId: 'PHONE', canRefresh: true })
    expect(session.expires_in_ms).toBe(300_000)
    return { access: session.access_token, refresh: session.refresh_token!, userId: session.user_id }
  }

  it('are given to clients that ask for them, and to no others', async () => {
    fixture = await accountsFixture({ tokens })
    const session = await fixture.user('alice')
    expect(session).not.toHaveProperty('refresh_token')
    expect(session).not.toHaveProperty('expires_in_ms')
  })

  it('give new tokens for the same device, after the old one expired too', async () => {
    const { access, refresh } = await withRefresh()
    const { accounts, clock } = fixture!
    clock.advance(400_000)
    expect(await errorOf(check(accounts, access))).toMatchObject({ extra: { soft_logout: true } })
    const next = await accounts.sessions.refresh(refresh)
    expect(await check(accounts, next.access_token)).toMatchObject({ deviceId: 'PHONE' })
    expect(next.refresh_token).not.toBe(refresh)
  })

  it('may be used again while the answer may have been lost, and then the lost tokens are void', async () => {
    const { access, refresh } = await withRefresh()
    const { accounts } = fixture!
    const lost = await accounts.sessions.refresh(refresh)
    await check(accounts, access)
    const next = await accounts.sessions.refresh(refresh)
    expect(await errorOf(check(accounts, lost.access_token))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
    expect(await errorOf(accounts.sessions.refresh(lost.refresh_token!))).toMatchObject({
      errcode: 'M_UNKNOWN_TOKEN',
    })
    await check(accounts, next.access_token)
  })

  it('and the old access token end when the new access token is used', async () => {
    const { access, refresh } = await withRefresh()
    const { accounts } = fixture!
    await check(accounts, access)
    const next = await accounts.sessions.refresh(refresh)
    await check(accounts, next.access_token)
    expect(await errorOf(check(accounts, access))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
  })

  it('used again after their successor was used revoke the whole chain, softly', async () => {
    const { refresh } = await withRefresh()
    const { accounts } = fixture!
    const second = await accounts.sessions.refresh(refresh)
    await check(accounts, second.access_token)
    const soft = { errcode: 'M_UNKNOWN_TOKEN', extra: { soft_logout: true } }
    expect(await errorOf(accounts.sessions.refresh(refresh))).toMatchObject(soft)
    expect(await errorOf(check(accounts, second.access_token))).toMatchObject(soft)
    expect(await errorOf(accounts.sessions.refresh(second.refresh_token!))).toMatchObject(soft)
  })

  it('of three generations ago revoke the chain too', async () => {
    const { refresh } = await withRefresh()
    const { accounts } = fixture!
    const two = await accounts.sessions.refresh(refresh)
    const three = await accounts.sessions.refresh(two.refresh_token!)
    const four = await accounts.sessions.refresh(three.refresh_token!)
    expect(await errorOf(accounts.sessions.refresh(refresh))).toMatchObject({ extra: { soft_logout: true } })
    expect(await errorOf(check(accounts, four.access_token))).toMatchObject({ extra: { soft_logout: true } })
  })

  it('used twice at the same time leave one usable pair', async () => {
    const { refresh } = await withRefresh()
    const { accounts } = fixture!
    const pairs = await Promise.all([accounts.sessions.refresh(refresh), accounts.sessions.refresh(refresh)])
    const verdicts = await Promise.allSettled(pairs.map((pair) => check(accounts, pair.access_token)))
    expect(verdicts.filter((verdict) => verdict.status === 'fulfilled')).toHaveLength(1)
  })

  it('end with log-out, and are refused while the account is locked', async () => {
    const { refresh, userId } = await withRefresh()
    const { accounts } = fixture!
    await accounts.moderation.set('@admin:finances.example', userId, 'locked', true)
    expect(await errorOf(accounts.sessions.refresh(refresh))).toMatchObject({ errcode: 'M_USER_LOCKED' })
    await accounts.moderation.set('@admin:finances.example', userId, 'locked', false)
    const next = await accounts.sessions.refresh(refresh)
    await accounts.sessions.logout(userId, 'PHONE')
    expect(await errorOf(accounts.sessions.refresh(next.refresh_token!))).toMatchObject({ extra: {} })
  })
})

describe('last seen', () => {
  it('is written in one go, with the address and the client of the last request', async () => {
    fixture = await accountsFixture()
    const { accounts, devices, clock } = fixture
    const session = await fixture.user('alice')
    await check(accounts, session.access_token)
    clock.advance(1_000)
    await accounts.authenticate(session.access_token, { ...CONTEXT, ip: '192.0.2.77', userAgent: undefined })
    expect(await devices.get(session.user_id, session.device_id)).toEqual({ device_id: session.device_id })
    await accounts.lastSeen.flush()
    expect(await devices.get(session.user_id, session.device_id)).toEqual({
      device_id: session.device_id,
      last_seen_ip: '192.0.2.77',
      last_seen_ts: clock.now(),
    })
  })
})
