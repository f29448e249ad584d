import { beforeEach, describe, expect, it } from '@jest/globals'
import { adminActor, type Act } from '../../core/audit/acts.js'
import type { MatrixError } from '../../core/errors.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { expiredAmong } from '../../storage/tables/account-validity.js'
import { insertThreepid } from '../../storage/tables/threepids.js'
import { run } from '../../storage/tx.js'
import { accountsFixture, CONTEXT, errorOf, SERVER_NAME, type AccountsFixture } from '../accounts/testing.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Mail } from '../mail/mailer.js'
import {
  createAccountValidity,
  expiredError,
  type AccountValidity,
  type AccountValidityOptions,
} from './account-validity.js'

const DAY = 24 * 3_600_000
const ALICE = '@alice:finances.example'
const ADMIN = adminActor('@admin:finances.example')

let fixture: AccountsFixture
let validity: AccountValidity
let mails: Mail[]
let acts: Act[]

const audit: AuditTrail = {
  // oxlint-disable-next-line require-yield
  *record(act) {
    acts.push(act)
  },
  note: () => Promise.resolve(),
  count: () => undefined,
}

/** As after a start of the node. */
function started(options: Partial<AccountValidityOptions> = {}): AccountValidity {
  return createAccountValidity({
    store: fixture.store,
    clock: fixture.clock,
    random: systemRandom,
    logger: silentLogger,
    serverName: SERVER_NAME,
    tokenCache: fixture.tokenCache,
    audit,
    mailer: {
      // oxlint-disable-next-line require-yield
      *queue(mail) {
        mails.push(mail)
      },
      wake: () => undefined,
      close: () => Promise.resolve(),
    },
    deactivate: (userId) => fixture.accounts.credentials.deactivate(userId, false),
    options: {
      periodMs: 42 * DAY,
      remindMs: [28 * DAY, 7 * DAY, DAY],
      isExcluded: (userId) => userId.startsWith('@service-'),
      publicBaseurl: 'https://matrix.finances.example',
      ...options,
    },
  })
}

beforeEach(async () => {
  mails = []
  acts = []
  fixture = await accountsFixture(
    {},
    {
      expiry: (userId, expiresTs) => (validity.isExpired(userId, expiresTs) ? expiredError() : undefined),
      onCreated: [(userId) => validity.onCreated(userId)],
    },
  )
  await fixture.store.write('test.empty', function* () {
    yield* run('DELETE FROM account_validity')
    yield* run('DELETE FROM account_renewals')
  })
  validity = started()
})

async function person(localpart: string): Promise<string> {
  const { access_token: token, user_id: userId } = await fixture.user(localpart)
  await fixture.store.write('test.address', () =>
    insertThreepid({
      medium: 'email',
      address: `${localpart}@finances.example`,
      user_id: userId,
      validated_ts: 1,
      added_ts: 1,
    }),
  )
  return token
}

const use = (token: string): Promise<unknown> => fixture.accounts.authenticate(token, CONTEXT)
const useExpired = (token: string): Promise<unknown> =>
  fixture.accounts.authenticate(token, { ...CONTEXT, allowExpired: true })
const linkOf = (mail: Mail | undefined): string => /token=([A-Za-z0-9]+)/.exec(mail?.text ?? '')![1]!
const expired = async (userId: string): Promise<boolean> =>
  (await fixture.store.read('test.expired', () => expiredAmong([userId]))).has(userId)
const pass = async (days: number): Promise<void> => {
  fixture.clock.advance(days * DAY)
  await validity.run()
}

describe('an account that expires', () => {
  it('is used until its day, and from then on only to renew it or to sign out', async () => {
    const token = await person('alice')
    await pass(41)
    await use(token)
    await pass(1)
    expect(await errorOf(use(token))).toMatchObject({ errcode: 'ORG_MATRIX_EXPIRED_ACCOUNT', status: 403 })
    await useExpired(token)
    const { access_token: fresh } = await fixture.login('alice')
    expect((await errorOf(use(fresh))).errcode).toBe('ORG_MATRIX_EXPIRED_ACCOUNT')
    expect(await expired(ALICE)).toBe(true)
    expect(acts).toMatchObject([{ act: 'account.expired', on: ALICE }])
  })

  it('expires at the very moment, whatever the job does and whatever is cached', async () => {
    const token = await person('alice')
    await use(token)
    fixture.clock.advance(42 * DAY)
    expect((await errorOf(use(token))).errcode).toBe('ORG_MATRIX_EXPIRED_ACCOUNT')
  })

  it('is reminded once for each time, across restarts, at all of its addresses', async () => {
    await person('alice')
    await pass(13)
    expect(mails).toHaveLength(0)
    await pass(1)
    expect(mails).toMatchObject([{ to: 'alice@finances.example' }])
    expect(mails[0]!.text).toContain(ALICE)
    validity = started()
    await pass(1)
    await validity.run()
    expect(mails).toHaveLength(1)
    await pass(20)
    await pass(6)
    await pass(0)
    expect(mails).toHaveLength(3)
    await pass(10)
    expect(mails).toHaveLength(3)
  })

  it('is reminded once where the node was down while several reminders were due', async () => {
    await person('alice')
    fixture.clock.advance(41.5 * DAY)
    validity = started()
    await validity.run()
    await validity.run()
    expect(mails).toHaveLength(1)
  })

  it('is renewed by any of the links, once', async () => {
    const token = await person('alice')
    await pass(14)
    await pass(22)
    const [first, second] = mails.map(linkOf)
    expect(await validity.look(first!)).toMatchObject({ userId: ALICE, isUsed: false })
    await pass(10)
    const until = fixture.clock.now() + 42 * DAY
    expect(await validity.renew(first!)).toEqual({ userId: ALICE, isUsed: false, expiresTs: until })
    await use(token)
    expect(await expired(ALICE)).toBe(false)
    fixture.clock.advance(DAY)
    expect(await validity.renew(first!)).toEqual({ userId: ALICE, isUsed: true, expiresTs: until })
    expect(await validity.renew(second!)).toMatchObject({ isUsed: true, expiresTs: until })
    expect(acts.at(-1)).toMatchObject({ act: 'account.renewed', by: { kind: 'user', id: ALICE } })
    mails.length = 0
    await pass(14)
    expect(mails).toHaveLength(1)
  })

  it('knows no other links', async () => {
    await person('alice')
    expect(await validity.look('x'.repeat(32))).toBeUndefined()
    expect(await validity.renew('')).toBeUndefined()
    await validity.sendMail(ALICE)
    const link = linkOf(mails[0])
    await fixture.accounts.credentials.deactivate(ALICE, false)
    expect(await validity.renew(link)).toBeUndefined()
  })

  it('is sent a link when it asks, not more than one a minute', async () => {
    await person('alice')
    await pass(50)
    mails.length = 0
    await validity.sendMail(ALICE)
    expect(mails[0]!.subject).toContain('has expired')
    expect(await errorOf(validity.sendMail(ALICE))).toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' })
    fixture.clock.advance(60_000)
    await validity.sendMail(ALICE)
    expect(mails).toHaveLength(2)
    await fixture.user('bob')
    expect(await errorOf(validity.sendMail('@bob:finances.example'))).toMatchObject({ errcode: 'M_UNKNOWN' })
  })

  it('is given another day by administrators, with or without mails', async () => {
    const token = await person('alice')
    await pass(42)
    const until = fixture.clock.now() + 20 * DAY
    expect(await validity.set(ALICE, { expiresTs: until, reminders: false }, ADMIN)).toBe(until)
    await use(token)
    mails.length = 0
    await pass(19)
    expect(mails).toHaveLength(0)
    expect(acts.at(-1)).toMatchObject({ act: 'account.extended', by: ADMIN, on: ALICE, details: { until } })
    await validity.set(ALICE, { expiresTs: 0 }, ADMIN)
    expect((await errorOf(use(token))).errcode).toBe('ORG_MATRIX_EXPIRED_ACCOUNT')
    expect(await validity.set(ALICE, {}, ADMIN)).toBe(fixture.clock.now() + 42 * DAY)
    for (const [user, errcode] of [
      ['@nobody:finances.example', 'M_NOT_FOUND'],
      ['@service-x:finances.example', 'M_INVALID_PARAM'],
    ] as const) {
      if (errcode === 'M_INVALID_PARAM') await fixture.user('service-x')
      expect((await errorOf(validity.set(user, {}, ADMIN))).errcode).toBe(errcode)
    }
  })

  it('is closed for ever after the delay, and not where there is none', async () => {
    await person('alice')
    await pass(400)
    expect(await validity.expiryOf(ALICE)).not.toBeNull()
    await fixture.login('alice')
    validity = started({ deactivateAfterMs: 500 * DAY })
    await validity.run()
    await fixture.login('alice')
    await pass(200)
    const error: Pick<MatrixError, 'errcode'> = await errorOf(fixture.login('alice'))
    expect(error.errcode).toBe('M_USER_DEACTIVATED')
  })

  it('is every one of a person that was there before, within a tenth of the time; none that is excluded', async () => {
    const token = await person('alice')
    await fixture.user('service-scanner')
    await fixture.store.write('test.before', () => run('DELETE FROM account_validity'))
    fixture.tokenCache.forget(ALICE)
    await validity.run()
    const day = (await validity.expiryOf(ALICE))! - fixture.clock.now()
    expect(day).toBeLessThanOrEqual(42 * DAY)
    expect(day).toBeGreaterThanOrEqual(37.8 * DAY)
    expect(await validity.expiryOf('@service-scanner:finances.example')).toBeNull()
    await pass(43)
    expect((await errorOf(use(token))).errcode).toBe('ORG_MATRIX_EXPIRED_ACCOUNT')
  })

  it('does not expire once it is excluded', async () => {
    const token = await person('alice')
    await pass(43)
    validity = started({ isExcluded: () => true })
    await use(token)
    expect(await validity.expiryOf(ALICE)).toBeNull()
  })
})
