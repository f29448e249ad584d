import { forbidden, MatrixError } from '../../core/errors.js'
import type { Json } from '../../core/json/value.js'
import type { Logger } from '../../platform/logger.js'
import { deleteAccountDataOfUser } from '../../storage/tables/account-data.js'
import { deleteProfile } from '../../storage/tables/profiles.js'
import { deleteLoginTokens } from '../../storage/tables/tokens.js'
import {
  deactivateUser,
  setCleanedUp,
  setPasswordHash,
  userById,
  usersToCleanUp,
} from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { Devices } from '../devices/devices.js'
import type { TokenCache } from '../devices/token-cache.js'
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
   * Sets a new password. Ends all other sessions and deletes their devices, unless told not to.
   * Throws M_WEAK_PASSWORD and M_INVALID_PARAM. `keepDeviceId`: the session that asked.
   */
  changePassword(
    userId: string,
    password: string,
    options: { readonly keepDeviceId: string | undefined; readonly logoutDevices: boolean },
  ): Promise<void>
  /** Throws where `changePassword` would; for checks before the user is asked to confirm. */
  checkPassword(password: string): void
  /** Closes the account for ever; it leaves its rooms afterwards. */
  deactivate(userId: string, erase: boolean): Promise<void>
  /** Goes on with deactivations that a restart cut short. */
  resumeDeactivations(): Promise<void>
}

export interface CredentialsDeps {
  readonly store: Store
  readonly logger: Logger
  readonly passwords: Passwords
  readonly uia: Uia
  readonly devices: Devices
  readonly tokenCache: TokenCache
  /** Leaves rooms and rejects invites; called again after a restart unless it has resolved. */
  onDeactivated?(userId: string): Promise<void>
}

const PASSWORD_FLOWS: Flows = [['m.login.password']]

export function createCredentials(deps: CredentialsDeps): Credentials {
  const { store, logger, passwords, uia, devices, tokenCache } = deps

  async function cleanUp(userId: string): Promise<void> {
    try {
      await deps.onDeactivated?.(userId)
      await store.write('accounts.cleanedUp', () => setCleanedUp(userId))
    } catch (error) {
      // The row stays marked: the next start goes on.
      logger.warn({ err: error, userId }, 'cannot finish a deactivation yet')
    }
  }

  return {
    async confirm({ userId, operation, auth, bound, ip }) {
      const user = await store.read('accounts.confirm', () => userById(userId))
      const flows = user === undefined || user.password_hash === null ? [] : PASSWORD_FLOWS
      await uia.require({ userId, operation, flows, auth, ip, ...(bound === undefined ? {} : { bound }) })
    },

    checkPassword: (password) => passwords.check(password),

    async changePassword(userId, password, { keepDeviceId, logoutDevices }) {
      passwords.check(password)
      const hash = await passwords.hash(password)
      const change = await store.write('accounts.changePassword', function* () {
        if (!(yield* setPasswordHash(userId, hash))) throw forbidden('There is no such account')
        yield* deleteLoginTokens(userId)
        return logoutDevices ? yield* devices.removeOthers(userId, keepDeviceId) : undefined
      })
      if (change !== undefined) devices.committed(change)
    },

    async deactivate(userId, erase) {
      const change = await store.write('accounts.deactivate', function* () {
        if (!(yield* deactivateUser(userId, erase)))
          throw new MatrixError('M_USER_DEACTIVATED', 'There is no such active account')
        yield* deleteLoginTokens(userId)
        if (erase) {
          yield* deleteProfile(userId)
          yield* deleteAccountDataOfUser(userId)
        }
        return yield* devices.removeOthers(userId, undefined)
      })
      devices.committed(change)
      tokenCache.forget(userId)
      void cleanUp(userId)
    },

    async resumeDeactivations() {
      for (const user of await store.read('accounts.toCleanUp', () => usersToCleanUp(1_000)))
        await cleanUp(user.user_id)
    },
  }
}
