import { afterEach, describe, expect, it } from '@jest/globals'
import { InteractiveAuthRequired } from '../../core/errors-uia.js'
import type { Json } from '../../core/json/value.js'
import { one } from '../../storage/tx.js'
import { accountsFixture, PASSWORD, type AccountsFixture } from './testing.js'
import type { UiaPass, UiaRequest } from './uia.js'

let fixture: AccountsFixture | undefined
afterEach(async () => {
  await fixture?.close()
  fixture = undefined
})

const ALICE = '@alice:finances.example'
const PASSWORD_AUTH = {
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: 'alice' },
  password: PASSWORD,
}

interface Challenge {
  readonly session: string
  readonly flows: readonly { readonly stages: readonly string[] }[]
  readonly completed: readonly string[]
  readonly errcode?: string
}

const REQUEST: UiaRequest = {
  userId: ALICE,
  operation: 'deleteDevice',
  flows: [['m.login.password']],
  auth: undefined,
  bound: 'PHONE',
  ip: '192.0.2.1',
}

const ask = (request: Partial<UiaRequest>): Promise<UiaPass> =>
  fixture!.accounts.uia.require({ ...REQUEST, ...request })

/** The 401 that a request is answered with. */
async function challenged(request: Partial<UiaRequest>): Promise<Challenge> {
  const error = await ask(request).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof InteractiveAuthRequired)) throw new Error(`no challenge: ${String(error)}`)
  return error.body as unknown as Challenge
}

const sessions = async (): Promise<number> =>
  (await fixture!.store.read('test', () => one<{ n: number }>('SELECT COUNT(*) AS n FROM uia_sessions')))!.n

describe('interactive authentication', () => {
  const begin = async (): Promise<string> => {
    fixture = await accountsFixture()
    await fixture.user('alice')
    await fixture.user('bob')
    return (await challenged({})).session
  }

  it('asks first, and passes with the stage done', async () => {
    const session = await begin()
    expect(await challenged({})).toMatchObject({ flows: [{ stages: ['m.login.password'] }], completed: [] })
    expect(await ask({ auth: { ...PASSWORD_AUTH, session } })).toEqual({ registrationToken: undefined })
  })

  it('takes the same content in another order', async () => {
    await begin()
    const { session } = await challenged({ bound: { a: 1, b: [0.5, 'x'] } })
    await ask({ bound: { b: [0.5, 'x'], a: 1 }, auth: { ...PASSWORD_AUTH, session } })
  })

  it('serves once', async () => {
    const session = await begin()
    await ask({ auth: { ...PASSWORD_AUTH, session } })
    const again = await challenged({ auth: { ...PASSWORD_AUTH, session } })
    expect(again.errcode).toBe('M_UNKNOWN')
    expect(again.session).not.toBe(session)
    expect(await challenged({ auth: { session } })).toMatchObject({ completed: [] })
  })

  it('serves once when two requests use the session at the same time', async () => {
    const session = await begin()
    const verdicts = await Promise.allSettled(
      Array.from({ length: 4 }, () => ask({ auth: { ...PASSWORD_AUTH, session } })),
    )
    expect(verdicts.filter((verdict) => verdict.status === 'fulfilled')).toHaveLength(1)
  })

  it.each<[string, Partial<UiaRequest>]>([
    ['another user', { userId: '@bob:finances.example' }],
    ['no user', { userId: undefined }],
    ['another operation', { operation: 'deactivateAccount' }],
    ['another content', { bound: 'LAPTOP' }],
  ])('of one request does not serve %s', async (_what, other) => {
    const session = await begin()
    const answer = await challenged({ ...other, auth: { ...PASSWORD_AUTH, session } })
    expect(answer.session).not.toBe(session)
    expect(answer.completed).toEqual([])
    await ask({ auth: { ...PASSWORD_AUTH, session } })
  })

  it('does not take the password of another account', async () => {
    const session = await begin()
    const auth = { ...PASSWORD_AUTH, identifier: { type: 'm.id.user', user: 'bob' }, session }
    await expect(ask({ auth })).rejects.toMatchObject({ errcode: 'M_FORBIDDEN', status: 403 })
    await ask({ auth: { ...PASSWORD_AUTH, session } })
  })

  it('says what went wrong, allows some more attempts in the same session, and then ends it', async () => {
    const session = await begin()
    const auth = { ...PASSWORD_AUTH, password: 'guess', session }
    for (let attempt = 0; attempt < 9; attempt++) {
      expect(await challenged({ auth })).toMatchObject({ errcode: 'M_FORBIDDEN', session })
    }
    expect((await challenged({ auth })).session).not.toBe(session)
    expect((await challenged({ auth: { ...PASSWORD_AUTH, session } })).errcode).toBe('M_UNKNOWN')
  })

  it('ends after a quarter of an hour', async () => {
    const session = await begin()
    fixture!.clock.advance(15 * 60_000)
    expect((await challenged({ auth: { ...PASSWORD_AUTH, session } })).errcode).toBe('M_UNKNOWN')
  })

  it.each<Json>([
    'session',
    null,
    [],
    {},
    { type: 7 },
    { session: 7 },
    { session: '' },
    { session: "'; DROP TABLE users" },
    { session: '\u0000' },
    { session: 'x'.repeat(100_000) },
    { type: 'm.login.sso' },
    { type: '__proto__' },
    { type: 'm.login.dummy' },
    { type: 'm.login.password' },
    { type: 'm.login.password', password: null },
    { type: 'm.login.password', password: PASSWORD, identifier: { type: 'm.id.user' }, user: ['alice'] },
    { type: 'm.login.password', password: PASSWORD, identifier: { type: 'm.id.phone' } },
    { type: 'm.login.password', password: 'x'.repeat(100_000) },
  ])('answers a hostile auth object with a challenge: %#', async (auth) => {
    fixture = await accountsFixture()
    await fixture.user('alice')
    if (auth !== null && typeof auth === 'object' && 'user' in auth) {
      // The identifier is incomplete, but the account is that of the access token.
      await ask({ auth })
      return
    }
    expect(await challenged({ auth })).toMatchObject({ completed: [] })
  })

  it('keeps the sessions of one user, and all of them together, bounded', async () => {
    fixture = await accountsFixture({ uia: { maxSessions: 100 } })
    for (let i = 0; i < 60; i++) await challenged({ operation: `op${i}` })
    expect(await sessions()).toBe(20)
    for (let i = 0; i < 300; i++) await challenged({ userId: undefined, operation: `op${i}` })
    expect(await sessions()).toBeLessThanOrEqual(160)
  })
})

describe('a flow of several stages', () => {
  const flows = [
    ['m.login.registration_token', 'm.login.dummy'],
    ['m.login.dummy', 'm.login.password'],
  ]

  it('is passed in order, over several requests', async () => {
    fixture = await accountsFixture()
    const { accounts } = fixture
    await accounts.registrationTokens.create({ token: 'welcome' })
    const request = { flows, userId: undefined }
    const { session } = await challenged(request)
    const token = { type: 'm.login.registration_token', token: 'welcome', session }
    expect(await challenged({ ...request, auth: token })).toMatchObject({
      completed: ['m.login.registration_token'],
      session,
    })
    expect(await challenged({ ...request, auth: { session } })).toMatchObject({
      completed: ['m.login.registration_token'],
    })
    expect(await challenged({ ...request, auth: token })).not.toHaveProperty('errcode')
    expect(await ask({ ...request, auth: { type: 'm.login.dummy', session } })).toEqual({
      registrationToken: 'welcome',
    })
  })

  it('refuses a stage out of order', async () => {
    fixture = await accountsFixture()
    await fixture.user('alice')
    const { session } = await challenged({ flows })
    expect(await challenged({ flows, auth: { ...PASSWORD_AUTH, session } })).toMatchObject({
      errcode: 'M_FORBIDDEN',
      completed: [],
    })
  })
})

describe('a registration token', () => {
  const request = {
    userId: undefined,
    operation: 'register',
    flows: [['m.login.registration_token', 'm.login.dummy']],
  }
  const stage = (token: string, session: string): Json => ({
    type: 'm.login.registration_token',
    token,
    session,
  })

  it('with one use is reserved by the session that gave it, until that is over', async () => {
    fixture = await accountsFixture()
    const { accounts, clock } = fixture
    await accounts.registrationTokens.create({ token: 'once', usesAllowed: 1 })
    const first = (await challenged(request)).session
    const second = (await challenged(request)).session
    await challenged({ ...request, auth: stage('once', first) })
    expect(await accounts.registrationTokens.isValid('once')).toBe(false)
    expect(await challenged({ ...request, auth: stage('once', second) })).toMatchObject({
      errcode: 'M_UNAUTHORIZED',
      completed: [],
    })
    clock.advance(15 * 60_000)
    expect(await accounts.registrationTokens.isValid('once')).toBe(true)
  })

  it('is reserved by one of many sessions that give it at once', async () => {
    fixture = await accountsFixture()
    await fixture.accounts.registrationTokens.create({ token: 'once', usesAllowed: 1 })
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await challenged(request)).session)
    const answers = await Promise.all(ids.map((id) => challenged({ ...request, auth: stage('once', id) })))
    expect(answers.filter((answer) => answer.completed.length === 1)).toHaveLength(1)
  })

  it('ends at its time', async () => {
    fixture = await accountsFixture()
    const { accounts, clock } = fixture
    await accounts.registrationTokens.create({ token: 'today', expiresTs: clock.now() + 1_000 })
    expect(await accounts.registrationTokens.isValid('today')).toBe(true)
    clock.advance(1_000)
    expect(await accounts.registrationTokens.isValid('today')).toBe(false)
  })

  it.each(['', 'nobody', '\u0000', 'x'.repeat(65), 'ä', "' OR 1=1"])('is not %j', async (token) => {
    fixture = await accountsFixture()
    expect(await fixture.accounts.registrationTokens.isValid(token)).toBe(false)
  })
})
