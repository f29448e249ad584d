import { userActor, type Actor } from '../../core/audit/acts.js'
import { forbidden, invalidParam, MatrixError, notFound } from '../../core/errors.js'
import type { Json } from '../../core/json/value.js'
import type { PasswordPolicy } from '../../core/password-policy.js'
import type { Logger } from '../../platform/logger.js'
import { deleteAccountValidity } from '../../storage/tables/account-validity.js'
import { deleteAccountDataOfUser } from '../../storage/tables/account-data.js'
import { deleteDelayedEventsOf } from '../../storage/tables/delayed-events.js'
import { deleteProfile } from '../../storage/tables/profiles.js'
import { deletePushersOfUser } from '../../storage/tables/pushers.js'
import { deleteThreadSubscriptionsOf } from '../../storage/tables/thread-subscriptions.js'
import { deleteThreepidsOf, threepidOwner } from '../../storage/tables/threepids.js'
import { deleteLoginTokens } from '../../storage/tables/tokens.js'
import {
  deactivateUser,
  reactivateUser,
  setCleanedUp,
  setPasswordHash,
  userById,
  usersToCleanUp,
} from '../../storage/tables/users.js'
import { deleteSecondFactor } from '../../storage/tables/second-factors.js'
import { deleteReceiptsOf } from '../../storage/tables/receipts.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { DeviceChange, Devices } from '../devices/devices.js'
import type { TokenCache } from '../devices/token-cache.js'
import type { Threepids } from '../threepids/threepids.js'
import type { Passwords } from './passwords.js'
import type { Uia } from './uia.js'
import type { Flows } from './uia-sessions.js'

export interface Confirmation {
  readonly userId: string
  /** The operationId, and the path parameters that matter. */
  readonly operation: string
  readonly auth: Json | undefined
  readonly bound?: Json
  readonly ip: string
}

export interface Credentials {
  /**
   * Returns when the user has confirmed the request by interactive authentication, for which this account's own ways
   * are offered. Throws `InteractiveAuthRequired`; M_FORBIDDEN for accounts that have none.
   */
  confirm(confirmation: Confirmation): Promise<void>
  /**
   * Sets a new password for whoever proves by mail that an account is theirs; `userId`: for that account, which may use its password
   * instead. Ends the sessions as `changePassword` does. Throws `InteractiveAuthRequired`, M_FORBIDDEN, M_WEAK_PASSWORD,
   * M_MISSING_TOKEN.
   */
  resetPassword(request: PasswordReset): Promise<void>
  /**
   * Sets a new password. Ends all other sessions and deletes their devices, unless told not to.
   * Throws M_WEAK_PASSWORD and M_INVALID_PARAM. `keepDeviceId`: the session that asked.
   */
  changePassword(
    userId: string,
    password: string,
    options: {
      readonly keepDeviceId: string | undefined
      readonly logoutDevices: boolean
      readonly by?: Actor
    },
  ): Promise<void>
  /** Throws where `changePassword` would; for checks before the user is asked to confirm. */
  checkPassword(password: string): void
  readonly passwordPolicy: PasswordPolicy
  /** Closes the account for ever; it leaves its rooms afterwards. */
  deactivate(userId: string, erase: boolean, by?: Actor): Promise<void>
  /**
   * Opens a closed account again, with another password, for the person whose it was: its rooms and addresses are not given back.
   * Throws M_INVALID_PARAM for one that is open, was erased, is nobody's own, or still leaves its rooms;
   * M_NOT_FOUND, M_WEAK_PASSWORD.
   */
  reactivate(userId: string, password: string, by: Actor): Promise<void>
  /** Goes on with deactivations that a restart cut short. */
  resumeDeactivations(): Promise<void>
}

export interface PasswordReset {
  /** Undefined without an access token. */
  readonly userId: string | undefined
  /** The session that asked. */
  readonly deviceId: string | undefined
  readonly password: string
  readonly logoutDevices: boolean
  readonly auth: Json | undefined
  readonly ip: string
}

export interface CredentialsDeps {
  readonly store: Store
  readonly logger: Logger
  readonly passwords: Passwords
  readonly uia: Uia
  readonly threepids: Threepids
  readonly devices: Devices
  readonly tokenCache: TokenCache
  readonly audit: AuditTrail
  /** Leaves rooms and rejects invites; called again after a restart unless it has resolved. */
  onDeactivated?(userId: string): Promise<void>
}

const PASSWORD_FLOWS: Flows = [['m.login.password']]
const EMAIL_FLOW = ['m.login.email.identity']

export function createCredentials(deps: CredentialsDeps): Credentials {
  const { store, logger, passwords, uia, threepids, devices, tokenCache, audit } = deps

  async function cleanUp(userId: string): Promise<void> {
    try {
      await deps.onDeactivated?.(userId)
      await store.write('accounts.cleanedUp', () => setCleanedUp(userId))
    } catch (error) {
      // The row stays marked: the next start goes on.
      logger.warn({ err: error, userId }, 'cannot finish a deactivation yet')
    }
  }

  /** The ways that an account has to confirm a request. */
  async function flowsOf(userId: string): Promise<Flows> {
    const user = await store.read('accounts.confirm', () => userById(userId))
    return user === undefined || user.password_hash === null ? [] : PASSWORD_FLOWS
  }

  /** Post: the password is set, other sessions are ended if wished; the result goes to `devices.committed`. */
  function* setPassword(
    userId: string,
    hash: string,
    keepDeviceId: string | undefined,
    logoutDevices: boolean,
    by: Actor = userActor(userId, keepDeviceId),
  ): Tx<DeviceChange | undefined> {
    if (!(yield* setPasswordHash(userId, hash))) throw forbidden('There is no such account')
    yield* deleteLoginTokens(userId)
    const change = logoutDevices ? yield* devices.removeOthers(userId, keepDeviceId, by) : undefined
    yield* audit.record({ act: 'account.password_changed', by, on: userId })
    return change
  }

  /** Whose password a proof may set. Post: the proof is used up. */
  function* ownerByProof(sessionId: string, userId: string | undefined): Tx<string> {
    const { address } = yield* threepids.take('reset', sessionId)
    const owner = yield* threepidOwner('email', address)
    const user = owner === undefined ? undefined : yield* userById(owner)
    // Whoever never had a password logs in by other means, which a mailbox must not replace.
    if (user === undefined || user.password_hash === null || (userId ?? owner) !== owner)
      throw forbidden('This address serves no account with a password')
    return user.user_id
  }

  return {
    async confirm({ userId, operation, auth, bound, ip }) {
      const flows = await flowsOf(userId)
      await uia.require({ userId, operation, flows, auth, ip, ...(bound === undefined ? {} : { bound }) })
    },

    async resetPassword({ userId, deviceId, password, logoutDevices, auth, ip }) {
      if (userId === undefined && !threepids.isOffered)
        throw new MatrixError('M_MISSING_TOKEN', 'Missing access token: this server sends no mail')
      passwords.check(password)
      const own = userId === undefined ? [] : await flowsOf(userId)
      const hasAddress =
        threepids.isOffered && (userId === undefined || (await threepids.list(userId)).length > 0)
      const pass = await uia.require({
        userId,
        operation: 'changePassword',
        flows: hasAddress ? [...own, EMAIL_FLOW] : own,
        auth,
        bound: [password, logoutDevices],
        ip,
      })
      const hash = await passwords.hash(password)
      const change = await store.write('accounts.resetPassword', function* () {
        const owner =
          pass.threepidSession === undefined ? userId : yield* ownerByProof(pass.threepidSession, userId)
        if (owner === undefined) throw forbidden('This account has no way to confirm the request')
        return yield* setPassword(owner, hash, owner === userId ? deviceId : undefined, logoutDevices)
      })
      if (change !== undefined) devices.committed(change)
    },

    checkPassword: (password) => passwords.check(password),
    passwordPolicy: passwords.policy,

    async changePassword(userId, password, { keepDeviceId, logoutDevices, by }) {
      passwords.check(password)
      const hash = await passwords.hash(password)
      const change = await store.write('accounts.changePassword', () =>
        setPassword(userId, hash, keepDeviceId, logoutDevices, by),
      )
      if (change !== undefined) devices.committed(change)
    },

    async deactivate(userId, erase, by = userActor(userId)) {
      const change = await store.write('accounts.deactivate', function* () {
        if (!(yield* deactivateUser(userId, erase)))
          throw new MatrixError('M_USER_DEACTIVATED', 'There is no such active account')
        yield* deleteLoginTokens(userId)
        // An address serves no account that nobody can use, and may serve another one.
        yield* deleteThreepidsOf(userId)
        yield* deletePushersOfUser(userId)
        yield* deleteDelayedEventsOf(userId)
        yield* deleteThreadSubscriptionsOf(userId)
        yield* deleteAccountValidity([userId])
        yield* deleteSecondFactor(userId)
        if (erase) {
          yield* deleteProfile(userId)
          yield* deleteAccountDataOfUser(userId)
          yield* deleteReceiptsOf(userId)
        }
        const ended = yield* devices.removeOthers(userId, undefined, by)
        yield* audit.record({ act: 'account.deactivated', by, on: userId, details: { erase } })
        return ended
      })
      devices.committed(change)
      tokenCache.forget(userId)
      void cleanUp(userId)
    },

    async reactivate(userId, password, by) {
      passwords.check(password)
      const hash = await passwords.hash(password)
      await store.write('accounts.reactivate', function* () {
        const user = yield* userById(userId)
        if (user === undefined) throw notFound('There is no such account')
        if (user.is_guest === 1 || user.appservice_id !== null)
          throw invalidParam('This is the account of a guest or of an application service')
        if (user.deactivated === 0) throw invalidParam('This account is not deactivated')
        if (user.erased === 1) throw invalidParam('This account was erased, and stays closed')
        if (user.cleanup_pending === 1)
          throw invalidParam('This account still leaves its rooms; try again in a while')
        yield* reactivateUser(userId, hash)
        yield* audit.record({ act: 'account.reactivated', by, on: userId })
      })
      tokenCache.forget(userId)
    },

    async resumeDeactivations() {
      for (const user of await store.read('accounts.toCleanUp', () => usersToCleanUp(1_000)))
        await cleanUp(user.user_id)
    },
  }
}
