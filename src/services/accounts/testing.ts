import { afterAll } from '@jest/globals'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import type { MailTransport } from '../../platform/smtp.js'
import { openTestStore } from '../../storage/testing.js'
import { run, type Store } from '../../storage/tx.js'
import { createDevices, type DeviceHook, type Devices } from '../devices/devices.js'
import { createTokenCache, type TokenCache } from '../devices/token-cache.js'
import { createMailer } from '../mail/mailer.js'
import {
  createThreepids,
  type AddressRules,
  type Threepids,
  type ThreepidsOptions,
} from '../threepids/threepids.js'
import { createAccounts, type Accounts, type AccountsDeps, type AccountsOptions } from './accounts.js'
import type { AuthContext } from './authenticate.js'
import type { SessionAnswer } from './sessions.js'

/** As cheap as argon2 can be. */
export const CHEAP_PASSWORDS = { cost: { memoryKib: 8, iterations: 1, parallelism: 1 } } as const

export const SERVER_NAME = 'finances.example'

export const CONTEXT: AuthContext = {
  allowLocked: false,
  ip: '192.0.2.1',
  userAgent: 'test',
  masquerade: { userId: undefined, deviceId: undefined },
}

/** Accounts over an empty store, with a clock that stands still. One at a time. */
export interface AccountsFixture {
  readonly store: Store
  readonly clock: ManualClock
  readonly devices: Devices
  readonly tokenCache: TokenCache
  readonly accounts: Accounts
  readonly threepids: Threepids
  /** Creates an account and logs it in. The password is `correct horse`. */
  user(localpart: string, options?: { readonly admin?: boolean }): Promise<SessionAnswer>
  login(localpart: string, options?: LoginOptions): Promise<SessionAnswer>
  /** The same database in the hands of a process that starts afresh. */
  restarted(): Accounts
  close(): Promise<void>
}

export interface LoginOptions {
  readonly password?: string
  readonly deviceId?: string
  readonly canRefresh?: boolean
  readonly ip?: string
}

export const PASSWORD = 'correct horse'

/** One store for all tests of a file: to open one takes longer than most tests. */
let shared: Promise<Store> | undefined
afterAll(async () => {
  const store = await shared
  shared = undefined
  await store?.close()
})

const TABLES = [
  ...['users', 'devices', 'access_tokens', 'refresh_tokens', 'login_tokens', 'registration_tokens'],
  ...['uia_sessions', 'profiles', 'account_data', 'filters', 'threepids', 'threepid_sessions', 'mail_queue'],
]

async function emptyStore(): Promise<Store> {
  shared ??= openTestStore()
  const store = await shared
  await store.write('test.empty', function* () {
    for (const table of TABLES) yield* run(`DELETE FROM ${table}`)
  })
  return store
}

export type FixtureDeps = Partial<Omit<AccountsDeps, 'options'>> & {
  readonly onDeleted?: readonly DeviceHook[]
  readonly maxPerUser?: number
  /** Mail goes there; without it none is sent. */
  readonly mail?: { readonly transport: MailTransport; readonly options?: Partial<ThreepidsOptions> }
  readonly rules?: AddressRules
}

export async function accountsFixture(
  options: AccountsOptions = {},
  deps: FixtureDeps = {},
): Promise<AccountsFixture> {
  const { onDeleted = [], maxPerUser, mail, rules, ...rest } = deps
  const store = await emptyStore()
  const clock = manualClock()
  const random = systemRandom

  const base = { store, clock, random, logger: silentLogger, serverName: SERVER_NAME }
  const mailer =
    mail === undefined
      ? undefined
      : createMailer({ ...base, transport: mail.transport, options: { from: 'matrix@finances.example' } })
  const threepids = createThreepids({
    ...base,
    rules,
    ...(mail === undefined
      ? {}
      : {
          mail: {
            mailer: mailer!,
            options: {
              publicBaseurl: 'https://matrix.finances.example',
              hideAddresses: true,
              nextLinks: [],
              ...mail.options,
            },
          },
        }),
  })

  function build(): { devices: Devices; tokenCache: TokenCache; accounts: Accounts } {
    const tokenCache = createTokenCache(clock)
    const devices = createDevices({
      store,
      clock,
      random,
      tokenCache,
      onDeleted,
      onRenamed: [],
      ...(rest.audit === undefined ? {} : { audit: rest.audit }),
      ...(maxPerUser === undefined ? {} : { options: { maxPerUser } }),
    })
    const accounts = createAccounts({
      store,
      clock,
      random,
      logger: silentLogger,
      serverName: SERVER_NAME,
      devices,
      tokenCache,
      threepids,
      ...rest,
      options: { passwords: CHEAP_PASSWORDS, ...options },
    })
    return { devices, tokenCache, accounts }
  }

  const parts = build()
  const fixture: AccountsFixture = {
    store,
    clock,
    ...parts,
    threepids,
    async user(localpart, { admin = false } = {}) {
      await parts.accounts.registration.createUser({ localpart, password: PASSWORD, admin })
      return await fixture.login(localpart)
    },
    login: (localpart, { password = PASSWORD, deviceId, canRefresh = false, ip = '192.0.2.1' } = {}) =>
      parts.accounts.login.login({
        type: 'm.login.password',
        credentials: { identifier: { type: 'm.id.user', user: localpart }, password },
        deviceId,
        deviceName: undefined,
        canRefresh,
        bearer: undefined,
        ip,
      }),
    restarted: () => build().accounts,
    // The next test has the same store: nothing may go on sending.
    close: async () => await mailer?.close(),
  }
  return fixture
}

/** What a promise is rejected with. */
export const errorOf = (
  promise: Promise<unknown>,
): Promise<{ readonly errcode: string; readonly extra: object; readonly message: string }> =>
  promise.then(
    () => {
      throw new Error('there was no error')
    },
    (error: { errcode: string; extra: object; message: string }) => error,
  )
