import { invalidParam, MatrixError } from '../../core/errors.js'
import { isDeviceId } from '../../core/ids/device-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import type { Clock } from '../../platform/clock.js'
import { deviceById } from '../../storage/tables/devices.js'
import {
  deleteOlderAccessTokens,
  markAccessTokenUsed,
  tokenOwner,
  type TokenOwnerRow,
} from '../../storage/tables/tokens.js'
import { userById } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { KnownToken, TokenCache } from '../devices/token-cache.js'
import type { Requester } from '../requester.js'
import type { AppserviceHooks, AppserviceIdentity } from './appservice.js'
import type { LastSeenRecorder } from './last-seen.js'
import { tokenHash } from './secret-token.js'

export interface AuthContext {
  /** The endpoint serves locked accounts too. */
  readonly allowLocked: boolean
  /** The endpoint serves accounts that have expired. */
  readonly allowExpired?: boolean
  readonly ip: string
  readonly userAgent: string | undefined
  /** Whose token it was when a request came that has waited since: a device that is still there may log in again. */
  readonly before?: Requester
  /** `user_id` and `device_id` of the query; they count for application services alone. */
  readonly masquerade: { readonly userId: string | undefined; readonly deviceId: string | undefined }
}

/**
 * Resolves an access token. Throws M_UNKNOWN_TOKEN (with `soft_logout` when the token has expired and its device is
 * still there), M_USER_LOCKED, ORG_MATRIX_EXPIRED_ACCOUNT; for application services M_FORBIDDEN and M_UNKNOWN_DEVICE.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
 */
export type Authenticate = (token: string, context: AuthContext) => Promise<Requester>

export interface AuthenticateDeps {
  readonly store: Store
  readonly clock: Clock
  readonly tokenCache: TokenCache
  readonly lastSeen: LastSeenRecorder
  readonly appservices?: AppserviceHooks | undefined
  /** Accounts in whose name the server itself speaks: no application service acts as one, whatever its namespaces. */
  readonly ownAccounts?: ReadonlySet<string> | undefined
  /** What a request on an account that has expired is told; undefined for one that has not. */
  readonly expiry?: ((userId: string, expiresTs: number | null) => MatrixError | undefined) | undefined
}

/** No token of ours, and hardly any of an application service, is longer. */
const MAX_TOKEN_LENGTH = 1_024

const unknownToken = (): MatrixError => new MatrixError('M_UNKNOWN_TOKEN', 'Unrecognised access token')
const expiredToken = (): MatrixError =>
  new MatrixError('M_UNKNOWN_TOKEN', 'The access token has expired', { soft_logout: true })

export const lockedError = (): MatrixError =>
  new MatrixError('M_USER_LOCKED', 'This account is locked', { soft_logout: true })

export function createAuthenticate(deps: AuthenticateDeps): Authenticate {
  const { store, clock, tokenCache, lastSeen, appservices } = deps
  /** The token of each requester that was given: a long poll asks again and again whether its own is still good. */
  const hashes = new WeakMap<Requester, string>()

  /** The first use of a refreshed token proves that the client has it: what it replaces ends. */
  async function noteFirstUse(hash: string, row: TokenOwnerRow): Promise<void> {
    const ended = await store.write('sessions.firstUse', function* () {
      yield* markAccessTokenUsed(hash)
      return yield* deleteOlderAccessTokens(row.user_id, row.device_id, row.generation)
    })
    if (ended > 0) tokenCache.forget(row.user_id, [row.device_id])
  }

  /** That a token has been replaced is no reason for a client to throw its keys away. */
  async function voidToken(before: Requester | undefined): Promise<MatrixError> {
    const deviceId = before?.deviceId
    if (before === undefined || deviceId === undefined) return unknownToken()
    const device = await store.read('sessions.stillThere', () => deviceById(before.userId, deviceId))
    return device === undefined ? unknownToken() : expiredToken()
  }

  async function lookUp(hash: string, before: Requester | undefined): Promise<KnownToken> {
    let epoch = tokenCache.epoch
    const row = await store.read('sessions.authenticate', () => tokenOwner(hash))
    if (row === undefined) throw await voidToken(before)
    if (row.deactivated === 1) throw unknownToken()
    const expired = row.expires_ts !== null && row.expires_ts <= clock.now()
    if (!expired && row.generation > 0 && row.used === 0) {
      const before = tokenCache.epoch
      await noteFirstUse(hash, row)
      // Forgetting the older tokens is no reason to doubt this one; anything else that was forgotten meanwhile is.
      if (epoch === before && tokenCache.epoch === before + 1) epoch = tokenCache.epoch
    }
    const known: KnownToken = {
      requester: Object.freeze({
        userId: row.user_id,
        deviceId: row.device_id,
        isGuest: row.is_guest === 1,
        isAdmin: row.is_admin === 1,
        isSuspended: row.suspended === 1,
        appserviceId: undefined,
        ...(row.per_second === null
          ? {}
          : { messageBudget: { per_second: row.per_second, burst: row.burst ?? 0 } }),
      }),
      expiresTs: row.expires_ts,
      locked: row.locked === 1,
      accountExpiresTs: row.account_expires_ts,
    }
    tokenCache.put(hash, known, epoch)
    hashes.set(known.requester, hash)
    return known
  }

  /** SPEC: https://spec.matrix.org/v1.19/application-service-api/#identity-assertion */
  async function asAppservice(
    appservice: AppserviceIdentity,
    { allowLocked, masquerade }: AuthContext,
  ): Promise<Requester> {
    const userId = masquerade.userId ?? appservice.senderUserId
    if (!isUserId(userId)) throw invalidParam('user_id is not a user id')
    const isOwn = deps.ownAccounts?.has(userId) === true
    if (isOwn || (userId !== appservice.senderUserId && !appservice.ownsUser(userId))) {
      appservices?.refused?.(appservice.id, userId)
      throw new MatrixError('M_FORBIDDEN', 'The application service may not act as this user')
    }
    const deviceId = masquerade.deviceId
    const { user, device } = await store.read('sessions.masquerade', function* () {
      return {
        user: yield* userById(userId),
        device:
          deviceId !== undefined && isDeviceId(deviceId) ? yield* deviceById(userId, deviceId) : undefined,
      }
    })
    if (user === undefined && userId !== appservice.senderUserId)
      throw new MatrixError('M_FORBIDDEN', 'The application service has not registered this user')
    if (user?.deactivated === 1) throw new MatrixError('M_USER_DEACTIVATED', 'This account is deactivated')
    if (user?.locked === 1 && !allowLocked) throw lockedError()
    if (deviceId !== undefined && device === undefined)
      throw new MatrixError('M_UNKNOWN_DEVICE', 'The user has no such device', {}, 400)
    return {
      userId,
      deviceId,
      isGuest: false,
      // A namespace may hold administrators: a bridge that acts as one of them has no rights over all others by that.
      isAdmin: false,
      isSuspended: user?.suspended === 1,
      appserviceId: appservice.id,
      ...(userId === appservice.senderUserId || appservice.isRateLimited === false
        ? { isUnlimited: true }
        : {}),
    }
  }

  return async (token, context) => {
    if (token === '' || token.length > MAX_TOKEN_LENGTH) throw unknownToken()
    const appservice = appservices?.byToken(token)
    if (appservice !== undefined) return await asAppservice(appservice, context)
    const hash = (context.before === undefined ? undefined : hashes.get(context.before)) ?? tokenHash(token)
    const known = tokenCache.get(hash) ?? (await lookUp(hash, context.before))
    if (known.locked && !context.allowLocked) throw lockedError()
    if (known.expiresTs !== null && known.expiresTs <= clock.now()) throw expiredToken()
    const { accountExpiresTs } = known
    if (accountExpiresTs !== null && context.allowExpired !== true) {
      const expired = deps.expiry?.(known.requester.userId, accountExpiresTs)
      if (expired !== undefined) throw expired
    }
    lastSeen.seen(known.requester.userId, known.requester.deviceId, context.ip, context.userAgent)
    return known.requester
  }
}
