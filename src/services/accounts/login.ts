import { SERVER } from '../../core/audit/acts.js'
import { forbidden, MatrixError, missingParam } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { countLoginTokens, insertLoginToken, takeLoginToken } from '../../storage/tables/tokens.js'
import { userById, usersByIds, type UserRow } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import { deviceWish } from '../devices/devices.js'
import type { AppserviceHooks } from './appservice.js'
import { lockedError } from './authenticate.js'
import { loginCandidates } from './localpart.js'
import { loginNameOf, type LoginName } from './login-name.js'
import type { PasswordCheck } from './password-check.js'
import { newToken, tokenHash } from './secret-token.js'
import type { SessionAnswer, Sessions } from './sessions.js'

export interface LoginOptions {
  /** Default true. */
  readonly password?: boolean
  /** Whether a signed-in client may fetch a token for another one. Default true. */
  readonly getToken?: boolean
  /** Of login tokens, in milliseconds. Default two minutes. */
  readonly tokenLifetimeMs?: number
}

export interface LoginWish {
  readonly type: string
  /** The request's body: `identifier` or `user`, `password`, `token`. */
  readonly credentials: JsonObject
  readonly deviceId: string | undefined
  readonly deviceName: string | undefined
  readonly canRefresh: boolean
  /** The access token of the request, for application services. */
  readonly bearer: string | undefined
  readonly ip: string
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#legacy-login */
export interface Login {
  flows(): readonly object[]
  /**
   * Throws M_FORBIDDEN, M_USER_DEACTIVATED, M_USER_LOCKED, M_LIMIT_EXCEEDED; M_UNKNOWN for a type that is not offered;
   * M_EXCLUSIVE, M_MISSING_TOKEN and M_UNKNOWN_TOKEN for application services.
   */
  login(wish: LoginWish): Promise<SessionAnswer>
  /** A token for one log-in as this user. SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv1loginget_token */
  issueToken(userId: string): Promise<{ readonly login_token: string; readonly expires_in_ms: number }>
}

export interface LoginDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly serverName: string
  readonly sessions: Sessions
  readonly checkPassword: PasswordCheck
  readonly audit: AuditTrail
  readonly appservices?: AppserviceHooks | undefined
  /** A device must not have the id of a cross-signing key. */
  readonly isCrossSigningKey?: ((userId: string, keyId: string) => Tx<boolean>) | undefined
  readonly options?: LoginOptions | undefined
}

const MAX_LOGIN_TOKENS = 10

export function createLogin(deps: LoginDeps): Login {
  const { store, clock, random, serverName, sessions, appservices } = deps
  const { password = true, getToken = true, tokenLifetimeMs = 120_000 } = deps.options ?? {}

  const text = (credentials: JsonObject, key: string): string => {
    const value = credentials[key]
    if (value === undefined) throw missingParam(`Missing parameter: ${key}`)
    if (typeof value !== 'string') throw new MatrixError('M_BAD_JSON', `${key} must be a string`)
    return value
  }

  function named(credentials: JsonObject): LoginName {
    const name = loginNameOf(credentials)
    if (name === undefined) throw missingParam('Missing identifier of the user')
    return name
  }

  async function byPassword(wish: LoginWish): Promise<UserRow> {
    const name = named(wish.credentials)
    return await deps.checkPassword(name, text(wish.credentials, 'password'), wish.ip)
  }

  async function byToken(wish: LoginWish): Promise<UserRow> {
    const hash = tokenHash(text(wish.credentials, 'token'))
    const user = await store.write('login.takeToken', function* () {
      const row = yield* takeLoginToken(hash)
      return row === undefined || row.expires_ts <= clock.now() ? undefined : yield* userById(row.user_id)
    })
    if (user === undefined) {
      deps.audit.count(
        { act: 'session.refused', by: SERVER, outcome: 'M_FORBIDDEN', reason: 'login token' },
        wish.ip,
      )
      throw forbidden('The login token is not valid')
    }
    return user
  }

  async function byAppservice(wish: LoginWish): Promise<UserRow> {
    if (wish.bearer === undefined) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token')
    const appservice = appservices?.byToken(wish.bearer)
    if (appservice === undefined)
      throw new MatrixError('M_UNKNOWN_TOKEN', 'This is not the token of an application service')
    const name = named(wish.credentials)
    const candidates = 'user' in name ? loginCandidates(name.user, serverName) : []
    const owned = candidates.filter((userId) => appservice.ownsUser(userId))
    if (owned.length === 0)
      throw new MatrixError('M_EXCLUSIVE', "The user is not in the application service's namespace")
    const [user] = await store.read('login.appserviceUser', () => usersByIds(owned))
    if (user === undefined) throw forbidden('The application service has not registered this user')
    return user
  }

  async function identify(wish: LoginWish): Promise<UserRow> {
    if (wish.type === 'm.login.password' && password) return await byPassword(wish)
    if (wish.type === 'm.login.token' && getToken) return await byToken(wish)
    if (wish.type === 'm.login.application_service') return await byAppservice(wish)
    throw new MatrixError('M_UNKNOWN', 'This login type is not supported', {}, 400)
  }

  return {
    flows: () => [
      ...(password ? [{ type: 'm.login.password' }] : []),
      ...(getToken ? [{ type: 'm.login.token', get_login_token: true }] : []),
      ...(appservices === undefined ? [] : [{ type: 'm.login.application_service' }]),
    ],

    async login(wish) {
      const device = deviceWish(random, wish.deviceId, wish.deviceName)
      const { user_id: userId } = await identify(wish)
      const opening = function* (): Tx<void> {
        // Read again where the session is written: the account may have been closed while its password was checked.
        const user = yield* userById(userId)
        if (user === undefined || user.deactivated === 1)
          throw new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated')
        if (user.locked === 1) throw lockedError()
        if (yield* deps.isCrossSigningKey?.(userId, device.deviceId) ?? none())
          throw forbidden('The device id is that of a cross-signing key')
      }
      const details = { how: wish.type, ip: wish.ip }
      try {
        return await sessions.open(userId, device, wish.canRefresh, opening, { told: { details } })
      } catch (error) {
        if (error instanceof MatrixError)
          deps.audit.count(
            { act: 'session.refused', by: SERVER, on: userId, outcome: error.errcode },
            wish.ip,
          )
        throw error
      }
    },

    async issueToken(userId) {
      if (!getToken) throw new MatrixError('M_UNRECOGNIZED', 'Login tokens are not given out')
      const token = newToken(random, 'login')
      const now = clock.now()
      await store.write('login.issueToken', function* () {
        if ((yield* countLoginTokens(userId, now)) >= MAX_LOGIN_TOKENS)
          throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many login tokens', {
            retry_after_ms: tokenLifetimeMs,
          })
        yield* insertLoginToken(tokenHash(token), userId, now + tokenLifetimeMs)
      })
      return { login_token: token, expires_in_ms: tokenLifetimeMs }
    },
  }
}

/** No queries, no cross-signing keys. */
// oxlint-disable-next-line require-yield
function* none(): Tx<boolean> {
  return false
}
