import { userActor, type Actor } from '../../core/audit/acts.js'
import { forbidden, invalidParam, MatrixError, missingParam } from '../../core/errors.js'
import { canonicalEmail, emailDomain } from '../../core/ids/email-address.js'
import type { Json } from '../../core/json/value.js'
import { isObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { setProfileField } from '../../storage/tables/profiles.js'
import { useRegistrationToken } from '../../storage/tables/registration-tokens.js'
import { tokenOwner } from '../../storage/tables/tokens.js'
import { insertUser, upgradeGuest, userById } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import { deviceWish } from '../devices/devices.js'
import type { TokenCache } from '../devices/token-cache.js'
import type { EmailRequest, Threepids } from '../threepids/threepids.js'
import type { AccountNames } from './account-names.js'
import type { AppserviceHooks } from './appservice.js'
import { userIdFor } from './localpart.js'
import type { Passwords } from './passwords.js'
import { tokenHash } from './secret-token.js'
import type { SessionAnswer, Sessions } from './sessions.js'
import type { Uia } from './uia.js'
import type { Flows } from './uia-sessions.js'

export interface RegistrationOptions {
  /** Whether people may register. Default false. */
  readonly enabled?: boolean
  /** They need a registration token. Default true. */
  readonly requireToken?: boolean
  /** Whether a new account comes with an e-mail address that was proved. Default `off`. */
  readonly email?: 'off' | 'optional' | 'required'
  /** Domains that such an address may have, in lower case; default: any. */
  readonly emailDomains?: readonly string[]
  readonly guests?: boolean
  /** Localparts that nobody may take, in lower case. */
  readonly reserved?: readonly string[]
}

/** What `/register` asks for, in our words. */
export interface RegistrationWish {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly deviceId?: string | undefined
  readonly deviceName?: string | undefined
  readonly inhibitLogin: boolean
  readonly canRefresh: boolean
  /** The token of a guest whose account becomes an ordinary one; `username` is the guest's then. */
  readonly guestToken?: string | undefined
  readonly auth?: Json | undefined
  readonly ip: string
}

export type RegistrationAnswer = SessionAnswer | { readonly user_id: string; readonly home_server: string }

export interface NewUser {
  readonly localpart: string
  /** Undefined: nobody can log in with one. */
  readonly password: string | undefined
  readonly admin: boolean
  readonly displayName?: string
  /** For the audit log: who makes it. Default: the user. */
  readonly by?: Actor
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register */
export interface Registration {
  /**
   * Throws M_FORBIDDEN, M_USER_IN_USE, M_INVALID_USERNAME, M_EXCLUSIVE, M_WEAK_PASSWORD, `InteractiveAuthRequired`.
   */
  register(wish: RegistrationWish): Promise<RegistrationAnswer>
  /** Begins the proof of an address for a registration. Throws M_FORBIDDEN, M_THREEPID_DENIED, and as `Threepids.requestEmail`. */
  requestEmail(request: EmailRequest): Promise<{ readonly sid: string }>
  registerGuest(wish: Pick<RegistrationWish, 'deviceName'>): Promise<RegistrationAnswer>
  /** Throws M_UNKNOWN_TOKEN, M_EXCLUSIVE, and as `register`. */
  registerForAppservice(asToken: string, wish: RegistrationWish): Promise<RegistrationAnswer>
  /** Throws unless the name could be registered now. */
  checkAvailable(username: string): Promise<void>
  /** The same where people may not register, for administrators. Gives the user id. */
  checkName(username: string): Promise<string>
  /** Throws M_FORBIDDEN when people may not register at all. */
  tokenIsValid(token: string): Promise<boolean>
  /** For administrators, past all policies but that of passwords. Gives the user id. */
  createUser(user: NewUser): Promise<string>
}

/** Runs in the transaction that creates an account. */
export type UserCreatedHook = (userId: string) => Tx<void>

export interface RegistrationDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly serverName: string
  readonly passwords: Passwords
  readonly sessions: Sessions
  readonly uia: Uia
  readonly threepids: Threepids
  readonly tokenCache: TokenCache
  readonly audit: AuditTrail
  readonly isTokenValid: (token: string) => Promise<boolean>
  readonly appservices?: AppserviceHooks | undefined
  readonly onCreated?: readonly UserCreatedHook[] | undefined
  /** Names that the server gives; absent: people choose theirs. */
  readonly names?: AccountNames | undefined
  readonly options?: RegistrationOptions | undefined
}

interface Account {
  readonly userId: string
  readonly passwordHash: string | null
  readonly isGuest: boolean
  readonly isAdmin: boolean
  readonly appserviceId: string | null
  readonly displayName: string | undefined
  readonly registrationToken: string | undefined
  readonly threepidSession: string | undefined
  /** The account is there, and stops to be a guest's. */
  readonly wasGuest: boolean
  readonly by?: Actor | undefined
}

const PLAIN: Omit<Account, 'userId'> = {
  passwordHash: null,
  isGuest: false,
  isAdmin: false,
  appserviceId: null,
  displayName: undefined,
  registrationToken: undefined,
  threepidSession: undefined,
  wasGuest: false,
}

/** An empty `auth` only asks for the flows, as some clients do before they have a password. */
const triesAStage = (auth: Json | undefined): boolean =>
  isObject(auth) && (auth['type'] !== undefined || auth['session'] !== undefined)

const notAGuest = (): MatrixError =>
  new MatrixError('M_UNKNOWN_TOKEN', 'guest_access_token is not the token of a guest')

const denied = (message: string): MatrixError => new MatrixError('M_THREEPID_DENIED', message)

/** The e-mail address stands first where there is a choice: a flow is complete as soon as all of its stages are passed. */
function registrationFlows(requireToken: boolean, email: 'off' | 'optional' | 'required'): Flows {
  const EMAIL = 'm.login.email.identity'
  const withEmail = requireToken ? [EMAIL, 'm.login.registration_token'] : [EMAIL]
  const without = requireToken ? ['m.login.registration_token'] : ['m.login.dummy']
  if (email === 'off') return [without]
  return email === 'required' ? [withEmail] : [without, withEmail]
}

const makerOf = ({ userId, appserviceId, by }: Account): Actor =>
  by ?? (appserviceId === null ? userActor(userId) : { kind: 'appservice', id: appserviceId })

const inUse = (): MatrixError => new MatrixError('M_USER_IN_USE', 'The user name is taken')
/** People of one name who register in the same moment. */
const MAX_RACES = 10

export function createRegistration(deps: RegistrationDeps): Registration {
  const { store, clock, random, serverName, passwords, sessions, uia, threepids, appservices } = deps
  const { enabled = false, requireToken = true, guests = false, reserved = [] } = deps.options ?? {}
  const { email = 'off', emailDomains } = deps.options ?? {}
  const { names } = deps
  const namesUsers = names?.namesUsers === true
  const flows = registrationFlows(requireToken, email)
  const reservedIds = new Set(reserved.map((localpart) => `@${localpart}:${serverName}`))

  function* insertAccount(account: Account): Tx<void> {
    if (account.wasGuest) {
      if (!(yield* upgradeGuest(account.userId, account.passwordHash!))) throw notAGuest()
    } else if (!(yield* insertUser({ ...account, createdTs: clock.now() }))) throw inUse()
    if (account.registrationToken !== undefined) {
      if (!(yield* useRegistrationToken(account.registrationToken, clock.now())))
        throw new MatrixError('M_FORBIDDEN', 'The registration token is used up')
    }
    if (account.threepidSession !== undefined) {
      const proof = yield* threepids.take('register', account.threepidSession)
      yield* threepids.checkAdmitted(proof)
      yield* threepids.attach(account.userId, proof)
    }
    if (account.displayName !== undefined)
      yield* setProfileField(account.userId, 'displayname', JSON.stringify(account.displayName))
    if (!account.wasGuest) for (const hook of deps.onCreated ?? []) yield* hook(account.userId)
    yield* deps.audit.record({
      act: 'account.registered',
      by: makerOf(account),
      on: account.userId,
      details: { guest: account.isGuest, admin: account.isAdmin },
    })
  }

  async function open(
    account: Account,
    wish: Pick<RegistrationWish, 'deviceId' | 'deviceName' | 'inhibitLogin' | 'canRefresh'>,
  ): Promise<RegistrationAnswer> {
    if (wish.inhibitLogin) {
      await store.write('registration.insert', () => insertAccount(account))
      return { user_id: account.userId, home_server: serverName }
    }
    const device = deviceWish(random, wish.deviceId, wish.deviceName)
    return await sessions.open(account.userId, device, wish.canRefresh, () => insertAccount(account), {
      told: { details: { how: 'registration' } },
    })
  }

  async function refuseTaken(userId: string): Promise<void> {
    if ((await store.read('registration.taken', () => userById(userId))) !== undefined) throw inUse()
  }

  async function checkName(username: string): Promise<string> {
    const userId = userIdFor(username, serverName)
    if (appservices?.exclusiveOwner(userId) !== undefined)
      throw new MatrixError('M_EXCLUSIVE', 'The user name is kept for an application service')
    if (reservedIds.has(userId)) throw inUse()
    await refuseTaken(userId)
    return userId
  }

  /** A name that is free at this moment, of those that the server gives for the address, or a random one. */
  async function freeName(address: string | undefined): Promise<string> {
    for (const localpart of address === undefined ? [] : (names?.localparts(address) ?? [])) {
      try {
        return await checkName(localpart)
      } catch (error) {
        if (!(error instanceof MatrixError)) throw error
      }
    }
    return `@${random.string(12, 'abcdefghijklmnopqrstuvwxyz')}:${serverName}`
  }

  /** Makes the account under the chosen name, or one of the server's; again where somebody was quicker to have that. */
  async function openFirst(
    chosen: string | undefined,
    address: string | undefined,
    make: (userId: string) => Promise<RegistrationAnswer>,
  ): Promise<RegistrationAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await make(chosen ?? (await freeName(address)))
      } catch (error) {
        const isTaken = error instanceof MatrixError && error.errcode === 'M_USER_IN_USE'
        if (!isTaken || chosen !== undefined || attempt === MAX_RACES) throw error
      }
    }
  }

  /** The user id of the guest, whose name the new account keeps. Throws M_UNKNOWN_TOKEN, M_MISSING_PARAM, M_INVALID_USERNAME. */
  async function guestOf(token: string, username: string | undefined): Promise<string> {
    const row = await store.read('registration.guest', () => tokenOwner(tokenHash(token)))
    const expired = row !== undefined && row.expires_ts !== null && row.expires_ts <= clock.now()
    if (row?.is_guest !== 1 || row.deactivated === 1 || row.locked === 1 || expired) throw notAGuest()
    if (username === undefined) throw missingParam('Missing username: that of the guest')
    if (row.user_id !== `@${username}:${serverName}`)
      throw new MatrixError('M_INVALID_USERNAME', 'A guest keeps its user name')
    return row.user_id
  }

  function refuseClosed(): void {
    if (!enabled) throw forbidden('Registration is closed on this server')
  }

  const localpartOf = (userId: string): string => userId.slice(1, userId.indexOf(':'))

  return {
    async register(wish) {
      refuseClosed()
      // The specification wants these errors before interactive authentication begins.
      const guest = wish.guestToken === undefined ? undefined : await guestOf(wish.guestToken, wish.username)
      // NOTSPEC: a wish is passed over where the server names accounts; to refuse it would tell who has the name.
      const wished = namesUsers ? undefined : wish.username
      const chosen = guest ?? (wished === undefined ? undefined : await checkName(wished))
      if (wish.password !== undefined) passwords.check(wish.password)
      else if (triesAStage(wish.auth)) throw missingParam('Missing password')
      if (wish.deviceId !== undefined) deviceWish(random, wish.deviceId, undefined)

      // The body is not bound: it decides whose account it will be, and the stages prove nothing about that.
      const pass = await uia.require({
        userId: undefined,
        operation: 'register',
        flows,
        auth: wish.auth,
        ip: wish.ip,
      })
      if (wish.password === undefined) throw missingParam('Missing password')
      const passwordHash = await passwords.hash(wish.password)
      const address =
        pass.threepidSession === undefined || names === undefined
          ? undefined
          : await threepids.addressOf('register', pass.threepidSession)
      const account = {
        ...PLAIN,
        passwordHash,
        wasGuest: guest !== undefined,
        registrationToken: pass.registrationToken,
        threepidSession: pass.threepidSession,
      }
      const named = address === undefined ? undefined : names?.displayName(address)
      const answer = await openFirst(chosen, address, (userId) =>
        open(
          {
            ...account,
            userId,
            // Guests may have chosen one.
            displayName: guest === undefined ? (named ?? localpartOf(userId)) : named,
          },
          wish,
        ),
      )
      // Sessions of the guest go on as the user's.
      if (guest !== undefined) deps.tokenCache.forget(guest)
      return answer
    },

    async requestEmail(request) {
      refuseClosed()
      if (email === 'off') throw denied('Accounts are made without an e-mail address here')
      const address = canonicalEmail(request.email)
      if (address !== undefined && emailDomains?.includes(emailDomain(address)) === false)
        throw denied('Accounts on this server are for addresses of other domains')
      return await threepids.requestEmail('register', request)
    },

    async registerGuest(wish) {
      if (!guests) throw forbidden('This server has no guests')
      const userId = `@${random.string(16, '0123456789')}:${serverName}`
      return await open(
        { ...PLAIN, userId, isGuest: true },
        { deviceId: undefined, deviceName: wish.deviceName, inhibitLogin: false, canRefresh: false },
      )
    },

    async registerForAppservice(asToken, wish) {
      const appservice = appservices?.byToken(asToken)
      if (appservice === undefined)
        throw new MatrixError('M_UNKNOWN_TOKEN', 'This is not the token of an application service')
      if (wish.username === undefined) throw missingParam('Missing username')
      const userId = userIdFor(wish.username, serverName)
      if (!appservice.ownsUser(userId))
        throw new MatrixError('M_EXCLUSIVE', "The user name is not in the application service's namespace")
      const owner = appservices?.exclusiveOwner(userId)
      if (owner !== undefined && owner !== appservice.id)
        throw new MatrixError('M_EXCLUSIVE', 'The user name is kept for another application service')
      await refuseTaken(userId)
      return await open(
        { ...PLAIN, userId, appserviceId: appservice.id, displayName: localpartOf(userId) },
        wish,
      )
    },

    async checkAvailable(username) {
      refuseClosed()
      if (namesUsers)
        throw new MatrixError('M_INVALID_USERNAME', 'This server makes the user name from the e-mail address')
      await checkName(username)
    },

    checkName,

    async tokenIsValid(token) {
      refuseClosed()
      return await deps.isTokenValid(token)
    },

    async createUser(user) {
      const userId = userIdFor(user.localpart, serverName)
      if (user.password !== undefined) passwords.check(user.password)
      if (user.displayName !== undefined && user.displayName.length > 256)
        throw invalidParam('The display name is too long')
      await refuseTaken(userId)
      const passwordHash = user.password === undefined ? null : await passwords.hash(user.password)
      await store.write('registration.createUser', () =>
        insertAccount({
          ...PLAIN,
          userId,
          passwordHash,
          isAdmin: user.admin,
          by: user.by,
          displayName: user.displayName ?? localpartOf(userId),
        }),
      )
      return userId
    },
  }
}
