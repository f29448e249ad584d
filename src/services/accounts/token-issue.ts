import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import { insertAccessToken, insertRefreshToken } from '../../storage/tables/tokens.js'
import type { Tx } from '../../storage/tx.js'
import { newToken, tokenHash } from './secret-token.js'

export interface TokenLifetimes {
  /** Of access tokens that can be refreshed, in milliseconds. Undefined: refresh tokens are not given out. */
  readonly refreshableMs?: number
  /** Of access tokens of clients that cannot refresh. Undefined: they live until log-out. */
  readonly nonRefreshableMs?: number
  /** How long a refresh token may lie unused. Undefined: for ever. */
  readonly refreshTokenMs?: number
}

/** Fresh secrets for a session, made outside of the transaction that stores them. */
export interface TokenPair {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly expiresInMs: number | undefined
}

export function newTokenPair(random: Random, lifetimes: TokenLifetimes, canRefresh: boolean): TokenPair {
  const refreshable = canRefresh && lifetimes.refreshableMs !== undefined
  return {
    accessToken: newToken(random, 'access'),
    refreshToken: refreshable ? newToken(random, 'refresh') : undefined,
    expiresInMs: refreshable ? lifetimes.refreshableMs : lifetimes.nonRefreshableMs,
  }
}

/** Pre: the device exists. Post: the tokens of the pair open the device's session. */
export function* storeTokenPair(
  pair: TokenPair,
  session: { readonly userId: string; readonly deviceId: string; readonly generation: number },
  clock: Pick<Clock, 'now'>,
  lifetimes: TokenLifetimes,
): Tx<void> {
  const now = clock.now()
  const owner = { user_id: session.userId, device_id: session.deviceId, created_ts: now }
  const refreshHash = pair.refreshToken === undefined ? null : tokenHash(pair.refreshToken)
  if (refreshHash !== null) {
    yield* insertRefreshToken({
      ...owner,
      token_hash: refreshHash,
      expires_ts: lifetimes.refreshTokenMs === undefined ? null : now + lifetimes.refreshTokenMs,
      generation: session.generation,
    })
  }
  yield* insertAccessToken({
    ...owner,
    token_hash: tokenHash(pair.accessToken),
    expires_ts: pair.expiresInMs === undefined ? null : now + pair.expiresInMs,
    refresh_hash: refreshHash,
    generation: session.generation,
  })
}

/** The part of an answer that carries the tokens. */
export function tokenAnswer(pair: TokenPair): {
  readonly access_token: string
  readonly refresh_token?: string
  readonly expires_in_ms?: number
} {
  return {
    access_token: pair.accessToken,
    ...(pair.refreshToken === undefined ? {} : { refresh_token: pair.refreshToken }),
    ...(pair.expiresInMs === undefined ? {} : { expires_in_ms: pair.expiresInMs }),
  }
}
