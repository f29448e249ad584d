import { userActor, type Act, type Actor } from '../../core/audit/acts.js'
import { forbidden, MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import * as tokens from '../../storage/tables/tokens.js'
import { userById } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Devices, DeviceWish } from '../devices/devices.js'
import type { TokenCache } from '../devices/token-cache.js'
import { lockedError } from './authenticate.js'
import { tokenHash } from './secret-token.js'
import { newTokenPair, storeTokenPair, tokenAnswer, type TokenLifetimes } from './token-issue.js'

export interface SessionsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly devices: Devices
  readonly tokenCache: TokenCache
  readonly lifetimes: TokenLifetimes
  readonly audit: AuditTrail
  /** Accounts in whose name the server itself speaks: nobody has a session of one. */
  readonly ownAccounts?: ReadonlySet<string> | undefined
}

export interface TokenAnswer {
  readonly access_token: string
  readonly refresh_token?: string
  readonly expires_in_ms?: number
}

export interface SessionAnswer extends TokenAnswer {
  readonly user_id: string
  readonly device_id: string
  readonly home_server: string
}

export interface SessionOptions {
  /** How long the token holds, in place of what is configured. */
  readonly lifetimeMs?: number | undefined
  /** For the audit log: who, unless it is the user, by what means and from where. */
  readonly told?: Pick<Act, 'details'> & Partial<Pick<Act, 'by'>>
}

export interface Sessions {
  /**
   * Opens a session in one transaction with `before`, which may insert the account or throw.
   * The answer is the body of `/login` and `/register`. Throws M_FORBIDDEN for an account of the server itself.
   */
  open(
    userId: string,
    device: DeviceWish,
    canRefresh: boolean,
    before: () => Tx<void>,
    options?: SessionOptions,
  ): Promise<SessionAnswer>
  /**
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens
   * Throws M_UNKNOWN_TOKEN, with `soft_logout` when the device is still there, and M_USER_LOCKED.
   */
  refresh(refreshToken: string): Promise<TokenAnswer>
  /** Ends the session and deletes its device. */
  logout(userId: string, deviceId: string): Promise<void>
  /** `by`: who ends them, unless it is the user. */
  logoutAll(userId: string, by?: Actor): Promise<void>
  /** Forgets tokens that ended long ago. A job of every hour or so. */
  prune(): Promise<void>
}

/** How long an ended token is remembered, so that its owner is told to log in again instead of losing the session. */
const REMEMBER_MS = 30 * 24 * 3_600_000
/** Refresh tokens of a device kept to notice their reuse. */
const REMEMBER_REFRESHES = 100

type RefreshOutcome = 'done' | 'unknown' | 'ended' | 'reused' | 'locked'

export function createSessions(deps: SessionsDeps): Sessions {
  const { store, clock, random, devices, tokenCache, lifetimes, audit } = deps

  async function end(label: string, body: () => ReturnType<Devices['remove']>): Promise<void> {
    devices.committed(await store.write(label, body))
  }

  return {
    async open(userId, device, canRefresh, before, { lifetimeMs, told } = {}) {
      if (deps.ownAccounts?.has(userId) === true) throw forbidden('This account is that of the server itself')
      const made = newTokenPair(random, lifetimes, canRefresh)
      const pair = lifetimeMs === undefined ? made : { ...made, expiresInMs: lifetimeMs }
      const change = await store.write('sessions.open', function* () {
        yield* before()
        const ensured = yield* devices.ensure(userId, device)
        yield* storeTokenPair(pair, { userId, deviceId: device.deviceId, generation: 0 }, clock, lifetimes)
        yield* audit.record({
          act: 'session.opened',
          by: userActor(userId, device.deviceId),
          on: userId,
          ...told,
        })
        return ensured
      })
      devices.committed(change)
      return {
        user_id: userId,
        device_id: device.deviceId,
        home_server: userId.slice(userId.indexOf(':') + 1),
        ...tokenAnswer(pair),
      }
    },

    async refresh(refreshToken) {
      const hash = tokenHash(refreshToken)
      const pair = newTokenPair(random, lifetimes, true)
      const next = pair.refreshToken
      let owner: { userId: string; deviceId: string } | undefined

      const outcome = await store.write('sessions.refresh', function* (): Tx<RefreshOutcome> {
        const row = yield* tokens.refreshTokenByHash(hash)
        if (row === undefined) return 'unknown'
        const { user_id: userId, device_id: deviceId, generation } = row
        owner = { userId, deviceId }
        const now = clock.now()
        const user = yield* userById(userId)
        if (user === undefined || user.deactivated === 1) return 'unknown'
        if (user.locked === 1) return 'locked'
        if (row.revoked === 1 || (row.expires_ts !== null && row.expires_ts <= now)) return 'ended'
        if (row.next_hash !== null) {
          const successor = yield* tokens.refreshTokenByHash(row.next_hash)
          const inUse =
            successor === undefined ||
            successor.next_hash !== null ||
            (yield* tokens.accessTokenUsed(row.next_hash, userId, deviceId))
          if (inUse) {
            // Either the client or a thief holds a copy, and nobody can tell which: both must log in again.
            yield* tokens.revokeDeviceTokens(userId, deviceId, now)
            yield* audit.record({
              act: 'session.refused',
              by: userActor(userId, deviceId),
              on: userId,
              outcome: 'M_UNKNOWN_TOKEN',
              reason: 'a refresh token was used twice: somebody has a copy of it',
            })
            return 'reused'
          }
          // The answer with the successor was lost: it is replaced.
          yield* tokens.deleteTokenPair(row.next_hash, userId, deviceId)
        }
        // Without a lifetime for refreshed tokens (changed in the configuration) the refresh token stays good.
        if (
          next !== undefined &&
          !(yield* tokens.supersedeRefreshToken(hash, row.next_hash, tokenHash(next), now))
        )
          throw new MatrixError('M_LIMIT_EXCEEDED', 'The token is being refreshed', { retry_after_ms: 500 })
        yield* storeTokenPair(pair, { userId, deviceId, generation: generation + 1 }, clock, lifetimes)
        // The use of this refresh token ends whatever came before it.
        yield* tokens.deleteOlderAccessTokens(userId, deviceId, generation)
        yield* tokens.deleteOlderRefreshTokens(userId, deviceId, generation - REMEMBER_REFRESHES)
        return 'done'
      })

      if (owner !== undefined) tokenCache.forget(owner.userId, [owner.deviceId])
      switch (outcome) {
        case 'done':
          return tokenAnswer(pair)
        case 'locked':
          throw lockedError()
        case 'unknown':
          throw new MatrixError('M_UNKNOWN_TOKEN', 'Unrecognised refresh token')
        case 'ended':
        case 'reused':
          throw new MatrixError('M_UNKNOWN_TOKEN', 'The refresh token is no longer valid', {
            soft_logout: true,
          })
      }
    },

    logout: (userId, deviceId) => end('sessions.logout', () => devices.remove(userId, [deviceId])),
    logoutAll: (userId, by) => end('sessions.logoutAll', () => devices.removeOthers(userId, undefined, by)),
    prune: () => store.write('sessions.prune', () => tokens.pruneTokens(clock.now() - REMEMBER_MS)),
  }
}
