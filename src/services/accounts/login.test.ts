import { hash as argonHash } from '@node-rs/argon2'
import { afterEach, describe, expect, it } from '@jest/globals'
import { run } from '../../storage/tx.js'
import { userById } from '../../storage/tables/users.js'
import type { Accounts } from './accounts.js'
import { accountsFixture, CONTEXT, errorOf, PASSWORD, type AccountsFixture } from './testing.js'

let fixture: AccountsFixture | undefined
afterEach(async () => {
  await fixture?.close()
  fixture = undefined
})

const check = (accounts: Accounts, token: string): Promise<unknown> => accounts.authenticate(token, CONTEXT)

describe('log-in', () => {
  it.each(['alice', 'Alice', '@alice:finances.example', '@ALICE:finances.example'])(
    'takes %s for the account',
    async (name) => {
      fixture = await accountsFixture()
      await fixture.user('alice')
      expect(await fixture.login(name)).toMatchObject({ user_id: '@alice:finances.example' })
    },
  )

  it.each([
    ['alice', 'wrong horse'],
    ['nobody', PASSWORD],
    ['@alice:other.example', PASSWORD],
    ['', PASSWORD],
    ['a\u0000b', PASSWORD],
    ['alice', ''],
    ['alice', 'x'.repeat(100_000)],
    ['@'.repeat(5_000), PASSWORD],
    ['__proto__', PASSWORD],
  ])('refuses a wrong pair of name and password in the same words: %#', async (name, password) => {
    fixture = await accountsFixture()
    await fixture.user('alice')
    const error = await errorOf(fixture.login(name, { password }))
    expect(error).toMatchObject({
      errcode: 'M_FORBIDDEN',
      message: 'The user name or the password is wrong',
    })
  })

  it('takes as long for an unknown user as for a wrong password', async () => {
    const cost = { memoryKib: 16_384, iterations: 2, parallelism: 1 }
    fixture = await accountsFixture({ passwords: { cost } })
    await fixture.user('alice')
    const time = async (name: string): Promise<number> => {
      const started = process.cpuUsage()
      await errorOf(fixture!.login(name, { password: 'wrong horse' }))
      const { user, system } = process.cpuUsage(started)
      return user + system
    }
    const best = { alice: Infinity, nobody: Infinity }
    for (let round = 0; round < 6; round++) {
      best.alice = Math.min(best.alice, await time('alice'))
      best.nobody = Math.min(best.nobody, await time('nobody'))
    }
    expect(best.nobody).toBeGreaterThan(best.alice / 2)
    expect(best.nobody).toBeLessThan(best.alice * 2)
  })

  it('rewrites a hash of an old cost', async () => {
    fixture = await accountsFixture()
    await fixture.user('alice')
    const hash = async (): Promise<string> =>
      (await fixture!.store.read('test', () => userById('@alice:finances.example')))!.password_hash!
    const before = await hash()
    await fixture.login('alice')
    expect(await hash()).toBe(before)
    const old = await argonHash(PASSWORD, { memoryCost: 16, timeCost: 2, parallelism: 1 })
    await fixture.store.write('test', () => run('UPDATE users SET password_hash = ?', old))
    await fixture.login('alice')
    expect(await hash()).toContain('m=8,t=1,p=1')
    await fixture.login('alice')
  })

  it('stops guessing from one address early, and lets others in', async () => {
    fixture = await accountsFixture({ attempts: { perAddress: 3, perAccount: 5, windowMs: 60_000 } })
    await fixture.user('alice')
    const guess = (ip: string): Promise<{ errcode: string }> =>
      errorOf(fixture!.login('alice', { password: 'guess', ip }))
    for (let i = 0; i < 3; i++) expect((await guess('192.0.2.9')).errcode).toBe('M_FORBIDDEN')
    expect(await guess('192.0.2.9')).toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
      extra: { retry_after_ms: 60_000 },
    })
    await fixture.login('alice', { ip: '192.0.2.10' })
    for (let i = 0; i < 2; i++) expect((await guess('192.0.2.11')).errcode).toBe('M_FORBIDDEN')
    expect((await guess('192.0.2.12')).errcode).toBe('M_LIMIT_EXCEEDED')
    fixture.clock.advance(60_001)
    await fixture.login('alice', { ip: '192.0.2.9' })
  })

  it('counts guesses that come at the same moment', async () => {
    fixture = await accountsFixture({ attempts: { perAddress: 3, perAccount: 5, windowMs: 60_000 } })
    await fixture.user('alice')
    const guesses = Array.from({ length: 20 }, (_, i) =>
      errorOf(fixture!.login('alice', { password: 'guess', ip: `192.0.2.${i % 4}` })),
    )
    const answers = (await Promise.all(guesses)).map(({ errcode }) => errcode)
    expect(answers.filter((errcode) => errcode === 'M_FORBIDDEN')).toHaveLength(5)
    expect(answers.filter((errcode) => errcode === 'M_LIMIT_EXCEEDED')).toHaveLength(15)
  })

  it('by token works once, for two minutes', async () => {
    fixture = await accountsFixture()
    const { accounts, clock } = fixture
    const session = await fixture.user('alice')
    const use = (token: string): Promise<unknown> =>
      accounts.login.login({
        type: 'm.login.token',
        credentials: { token },
        deviceId: undefined,
        deviceName: undefined,
        canRefresh: false,
        bearer: undefined,
        ip: '192.0.2.1',
      })
    const first = await accounts.login.issueToken(session.user_id)
    expect(await use(first.login_token)).toMatchObject({ user_id: session.user_id })
    expect(await errorOf(use(first.login_token))).toMatchObject({ errcode: 'M_FORBIDDEN' })
    const second = await accounts.login.issueToken(session.user_id)
    clock.advance(second.expires_in_ms)
    expect(await errorOf(use(second.login_token))).toMatchObject({ errcode: 'M_FORBIDDEN' })
  })

  it('by one token at the same time succeeds once', async () => {
    fixture = await accountsFixture()
    const { accounts } = fixture
    const session = await fixture.user('alice')
    const { login_token: token } = await accounts.login.issueToken(session.user_id)
    const wish = {
      type: 'm.login.token',
      credentials: { token },
      deviceId: undefined,
      deviceName: undefined,
      canRefresh: false,
      bearer: undefined,
      ip: '192.0.2.1',
    }
    const verdicts = await Promise.allSettled(Array.from({ length: 5 }, () => accounts.login.login(wish)))
    expect(verdicts.filter((verdict) => verdict.status === 'fulfilled')).toHaveLength(1)
  })
})

describe('locked, suspended and deactivated accounts', () => {
  it('locked: every request but log-out is refused softly, by cached tokens too; nobody logs in', async () => {
    fixture = await accountsFixture()
    const { accounts } = fixture
    const session = await fixture.user('alice')
    await check(accounts, session.access_token)
    await accounts.moderation.set('@admin:finances.example', session.user_id, 'locked', true)
    const locked = { errcode: 'M_USER_LOCKED', extra: { soft_logout: true } }
    expect(await errorOf(check(accounts, session.access_token))).toMatchObject(locked)
    expect(await errorOf(fixture.login('alice'))).toMatchObject(locked)
    const { login_token: token } = await accounts.login.issueToken(session.user_id)
    const byToken = accounts.login.login({
      type: 'm.login.token',
      credentials: { token },
      deviceId: undefined,
      deviceName: undefined,
      canRefresh: false,
      bearer: undefined,
      ip: '192.0.2.1',
    })
    expect(await errorOf(byToken)).toMatchObject(locked)
    const requester = await accounts.authenticate(session.access_token, { ...CONTEXT, allowLocked: true })
    expect(requester.userId).toBe(session.user_id)
    await accounts.moderation.set('@admin:finances.example', session.user_id, 'locked', false)
    await check(accounts, session.access_token)
  })

  it('suspended: may log in, and every request says so', async () => {
    fixture = await accountsFixture()
    const { accounts } = fixture
    const session = await fixture.user('alice')
    expect(await check(accounts, session.access_token)).toMatchObject({ isSuspended: false })
    await accounts.moderation.set('@admin:finances.example', session.user_id, 'suspended', true)
    expect(await check(accounts, session.access_token)).toMatchObject({ isSuspended: true })
    const second = await fixture.login('alice')
    expect(await check(accounts, second.access_token)).toMatchObject({ isSuspended: true })
  })

  it('deactivated: no token works, no log-in, the password is forgotten, the rooms are left once', async () => {
    const left: string[] = []
    fixture = await accountsFixture(
      {},
      { onDeactivated: (userId) => Promise.resolve(void left.push(userId)) },
    )
    const { accounts, devices, store } = fixture
    const session = await fixture.user('alice')
    const { login_token: token } = await accounts.login.issueToken(session.user_id)
    await check(accounts, session.access_token)
    await accounts.credentials.deactivate(session.user_id, true)
    expect(await errorOf(check(accounts, session.access_token))).toMatchObject({ errcode: 'M_UNKNOWN_TOKEN' })
    expect(await errorOf(fixture.login('alice'))).toMatchObject({ errcode: 'M_USER_DEACTIVATED' })
    const byToken = accounts.login.login({
      type: 'm.login.token',
      credentials: { token },
      deviceId: undefined,
      deviceName: undefined,
      canRefresh: false,
      bearer: undefined,
      ip: '192.0.2.1',
    })
    expect(await errorOf(byToken)).toMatchObject({ errcode: 'M_FORBIDDEN' })
    expect(await devices.list(session.user_id)).toEqual([])
    await accounts.credentials.resumeDeactivations()
    const row = await store.read('test', () => userById(session.user_id))
    expect(row).toMatchObject({ password_hash: null, deactivated: 1, erased: 1, cleanup_pending: 0 })
    expect(new Set(left)).toEqual(new Set([session.user_id]))
    await expect(fixture.user('alice')).rejects.toMatchObject({ errcode: 'M_USER_IN_USE' })
  })

  it('a deactivation that fails on the way is taken up by the next start', async () => {
    let broken = true
    const onDeactivated = (): Promise<void> =>
      broken ? Promise.reject(new Error('no disk')) : Promise.resolve()
    fixture = await accountsFixture({}, { onDeactivated })
    const session = await fixture.user('alice')
    await fixture.accounts.credentials.deactivate(session.user_id, false)
    await fixture.accounts.credentials.resumeDeactivations()
    const pending = async (): Promise<number> =>
      (await fixture!.store.read('test', () => userById(session.user_id)))!.cleanup_pending
    expect(await pending()).toBe(1)
    broken = false
    await fixture.restarted().credentials.resumeDeactivations()
    expect(await pending()).toBe(0)
  })
})
