import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import type { Store, Tx } from '../../storage/tx.js'
import { NO_AUDIT, type AuditTrail } from '../audit/trail.js'
import type { Devices } from '../devices/devices.js'
import type { TokenCache } from '../devices/token-cache.js'
import { createThreepids, type Threepids } from '../threepids/threepids.js'
import { createAccountNames, type AccountNamesOptions } from './account-names.js'
import type { AppserviceHooks } from './appservice.js'
import { createAttempts, type AttemptOptions } from './attempts.js'
import { createAuthenticate, type Authenticate, type AuthenticateDeps } from './authenticate.js'
import { createCredentials, type Credentials } from './credentials.js'
import { createLastSeen, type LastSeenRecorder } from './last-seen.js'
import { createLogin, type Login, type LoginOptions } from './login.js'
import { createModeration, type Moderation } from './moderation.js'
import { createPasswordCheck } from './password-check.js'
import { createPasswords, type PasswordOptions } from './passwords.js'
import {
  createRegistration,
  type Registration,
  type RegistrationOptions,
  type UserCreatedHook,
} from './registration.js'
import { createRegistrationTokens, type RegistrationTokens } from './registration-tokens.js'
import { createSessions, type Sessions } from './sessions.js'
import { createSharedSecretRegistration, type SharedSecretRegistration } from './shared-secret.js'
import type { TokenLifetimes } from './token-issue.js'
import { createUia, type Uia } from './uia.js'
import { createUiaSessions, type UiaOptions } from './uia-sessions.js'
import { createStages } from './uia-stages.js'

export interface AccountsOptions {
  readonly passwords?: PasswordOptions
  readonly registration?: RegistrationOptions
  readonly login?: LoginOptions
  readonly uia?: UiaOptions
  readonly tokens?: TokenLifetimes
  /** Undefined: wrong passwords are not counted (a demo, a test). */
  readonly attempts?: AttemptOptions
  readonly registrationSharedSecret?: string
  /** Names that the server gives to new accounts. */
  readonly names?: AccountNamesOptions | undefined
  /** Accounts in whose name the server itself speaks. */
  readonly ownAccounts?: ReadonlySet<string>
}

export interface AccountsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly devices: Devices
  readonly tokenCache: TokenCache
  /** Default: no address can be proved. */
  readonly threepids?: Threepids
  readonly appservices?: AppserviceHooks | undefined
  readonly onCreated?: readonly UserCreatedHook[]
  onDeactivated?(userId: string): Promise<void>
  readonly isCrossSigningKey?: (userId: string, keyId: string) => Tx<boolean>
  readonly audit?: AuditTrail
  readonly expiry?: AuthenticateDeps['expiry']
  readonly options?: AccountsOptions
}

/** Accounts, the ways into them and out of them. */
export interface Accounts {
  /** For `HttpDeps.authenticate`. */
  readonly authenticate: Authenticate
  readonly uia: Uia
  readonly sessions: Sessions
  readonly registration: Registration
  readonly registrationTokens: RegistrationTokens
  readonly login: Login
  readonly credentials: Credentials
  readonly moderation: Moderation
  readonly sharedSecret: SharedSecretRegistration
  /** `flush` every minute and before the end. */
  readonly lastSeen: LastSeenRecorder
}

export function createAccounts(deps: AccountsDeps): Accounts {
  const { store, clock, random, logger, serverName, devices, tokenCache, appservices } = deps
  const audit = deps.audit ?? NO_AUDIT
  const threepids = deps.threepids ?? createThreepids({ store, clock, random, serverName })
  const options = deps.options ?? {}
  const passwords = createPasswords(options.passwords)
  const attempts = createAttempts(clock, options.attempts)
  const checkPassword = createPasswordCheck({ store, passwords, attempts, serverName, audit })
  const registrationTokens = createRegistrationTokens({ store, clock, random })
  const stages = createStages({ store, checkPassword, registrationTokens, threepids, serverName })
  const uia = createUia({
    stages,
    sessions: createUiaSessions({ store, clock, random, registrationTokens, options: options.uia }),
  })
  const lifetimes = options.tokens ?? {}
  const { ownAccounts } = options
  const sessions = createSessions({
    ...{ store, clock, random, devices, tokenCache, lifetimes, audit, ownAccounts },
  })
  const registration = createRegistration({
    store,
    clock,
    random,
    serverName,
    passwords,
    sessions,
    uia,
    threepids,
    tokenCache,
    audit,
    isTokenValid: (token) => registrationTokens.isValid(token),
    appservices,
    onCreated: deps.onCreated,
    ...(options.names === undefined ? {} : { names: createAccountNames(options.names) }),
    options: options.registration,
  })
  const lastSeen = createLastSeen(store, clock)

  return {
    authenticate: createAuthenticate({
      store,
      clock,
      tokenCache,
      lastSeen,
      appservices,
      ownAccounts,
      expiry: deps.expiry,
    }),
    uia,
    sessions,
    registration,
    registrationTokens,
    login: createLogin({
      store,
      clock,
      random,
      serverName,
      sessions,
      checkPassword,
      audit,
      appservices,
      isCrossSigningKey: deps.isCrossSigningKey,
      options: options.login,
    }),
    credentials: createCredentials({
      store,
      logger,
      passwords,
      uia,
      threepids,
      devices,
      tokenCache,
      audit,
      onDeactivated: async (userId) => await deps.onDeactivated?.(userId),
    }),
    moderation: createModeration({ store, serverName, tokenCache, audit }),
    sharedSecret: createSharedSecretRegistration({
      clock,
      random,
      registration,
      sessions,
      secret: options.registrationSharedSecret,
    }),
    lastSeen,
  }
}
