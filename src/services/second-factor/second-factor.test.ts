import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { Act } from '../../core/audit/acts.js'
import { manualClock } from '../../platform/clock.js'
import { systemRandom } from '../../platform/random.js'
import { authenticator } from '../../platform/testing-authenticator.js'
import { secondFactorOf } from '../../storage/tables/second-factors.js'
import { insertUser } from '../../storage/tables/users.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store, Tx } from '../../storage/tx.js'
import { createSecondFactor, type SecondFactor } from './second-factor.js'

const SERVER = 'finances.example'
const SECRET = 'a secret of more than thirty-two characters'

let store: Store
let users = 0
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

let clock = manualClock()
let told: Act[]
beforeEach(() => {
  clock = manualClock()
  told = []
})

// oxlint-disable-next-line require-yield
function* record(act: Act): Tx<void> {
  told.push(act)
}
const factors = (secret: string | undefined = SECRET): SecondFactor =>
  createSecondFactor({
    store,
    clock,
    random: systemRandom,
    serverName: SERVER,
    audit: { record, note: () => Promise.resolve(), count: () => undefined },
    options: { secret, attempts: 3, issuer: 'The ministry', guardsTools: false },
  })

async function administrator(isAdmin = true): Promise<string> {
  const userId = `@root${++users}:${SERVER}`
  await store.write('test', () =>
    insertUser({
      ...{ userId, passwordHash: null, createdTs: 0, isGuest: false, isAdmin, appserviceId: null },
    }),
  )
  return userId
}

/** An administrator with an app that shows codes; `by` steps from now. */
async function enrolled(factor = factors()) {
  const userId = await administrator()
  const given = await factor.manage({ do: 'enrol', user: userId, replace: false })
  const app = authenticator(given['secret'])
  const code = (by = 0): string => app.code(clock.now(), by)
  const wrong = (): string => app.wrong(clock.now())
  return { userId, given, code, wrong, factor }
}

const check = (factor: SecondFactor, userId: string, code: string | undefined) =>
  factor.check(userId, code, 'http').then(
    () => 'right',
    (error: { errcode: string; extra: { reason: string } }) => `${error.errcode} ${error.extra.reason}`,
  )
const refused = (why: string): string => `M_FORBIDDEN second_factor.${why}`

describe('a second factor', () => {
  it('is an app’s: its code is taken once, a step early or late', async () => {
    const { userId, given, code, factor } = await enrolled()
    expect(given).toMatchObject({
      user_id: userId,
      uri: expect.stringMatching(/^otpauth:\/\/totp\/The%20ministry:/),
    })
    expect(await check(factor, userId, code())).toBe('right')
    expect(await check(factor, userId, code())).toBe(refused('used'))
    expect(await check(factor, userId, code(1))).toBe('right')
    // One from before the last that was taken.
    expect(await check(factor, userId, code())).toBe(refused('used'))
    clock.advance(90_000)
    expect(await check(factor, userId, code(-1))).toBe('right')
    expect(await check(factor, userId, undefined)).toBe(refused('missing'))
  })

  it('is taken once by two requests at a moment', async () => {
    const { userId, code, factor } = await enrolled()
    const both = await Promise.all([check(factor, userId, code()), check(factor, userId, code())])
    expect(both.toSorted()).toEqual([refused('used'), 'right'])
  })

  it('is locked after some wrong codes in a row, until whoever has the machine unlocks it', async () => {
    const { userId, code, wrong, factor } = await enrolled()
    expect(await check(factor, userId, wrong())).toBe(refused('wrong'))
    expect(await check(factor, userId, wrong())).toBe(refused('wrong'))
    expect(await check(factor, userId, code())).toBe('right')
    clock.advance(60_000)
    for (let n = 0; n < 3; n++) expect(await check(factor, userId, wrong())).toBe(refused('wrong'))
    expect(await check(factor, userId, code())).toBe(refused('locked'))
    // A restart opens nothing.
    expect(await check(factors(), userId, code())).toBe(refused('locked'))
    expect(told.filter(({ act }) => act === 'second_factor.locked')).toEqual([
      expect.objectContaining({ by: { kind: 'admin', id: userId, way: 'http' }, on: userId }),
    ])
    expect((await factor.manage({ do: 'list' }))['factors']).toContainEqual(
      expect.objectContaining({ user_id: userId, locked: true, opens: true }),
    )
    await factor.manage({ do: 'unlock', user: userId })
    expect(await check(factor, userId, code())).toBe('right')
    expect(told.at(-1)).toMatchObject({ act: 'second_factor.unlocked', by: { kind: 'operator' }, on: userId })
  })

  it('is kept sealed: with another secret it is of no use', async () => {
    const { userId, given, code } = await enrolled()
    const row = (await store.read('test', () => secondFactorOf(userId)))!
    expect(row.sealed).not.toContain(given['secret'])
    expect(await check(factors(`${SECRET} `), userId, code())).toBe(refused('unreadable'))
    expect(await check(factors(), userId, code())).toBe('right')
  })

  it('belongs to administrators, and is replaced only on purpose', async () => {
    const { userId, code, factor } = await enrolled()
    const enrol = (user: string, replace: boolean) => factor.manage({ do: 'enrol', user, replace })
    await expect(enrol(userId, false)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(enrol(await administrator(false), false)).rejects.toMatchObject({
      errcode: 'M_INVALID_PARAM',
    })
    await expect(enrol('nobody', false)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await enrol(userId, true)
    expect(await check(factor, userId, code())).toBe(refused('wrong'))
    await factor.manage({ do: 'remove', user: userId })
    expect(await check(factor, userId, code())).toBe(refused('not_enrolled'))
    await expect(factor.manage({ do: 'unlock', user: userId })).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
  })

  it('is nobody’s where nothing seals it', async () => {
    const off = createSecondFactor({
      ...{ store, clock, random: systemRandom, serverName: SERVER },
      audit: { record, note: () => Promise.resolve(), count: () => undefined },
      options: { secret: undefined, attempts: 3, issuer: 'x', guardsTools: false },
    })
    const userId = await administrator()
    expect(await check(off, userId, '123456')).toBe(refused('off'))
    await expect(off.manage({ do: 'enrol', user: userId, replace: false })).rejects.toMatchObject({
      errcode: 'M_UNKNOWN',
    })
  })
})
