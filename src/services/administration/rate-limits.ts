import {
  deleteRateLimitOverride,
  rateLimitOverride,
  setRateLimitOverride,
  type RateLimitOverride,
} from '../../storage/tables/rate-limit-overrides.js'
import type { Store } from '../../storage/tx.js'
import type { TokenCache } from '../devices/token-cache.js'
import { localUser } from './local-user.js'

/** How many messages single users may send, in place of `rate_limits.message`. Throws M_INVALID_PARAM, M_NOT_FOUND. */
export interface RateLimitOverrides {
  get(userId: string): Promise<RateLimitOverride | undefined>
  /** Undefined: what is configured holds again. */
  set(userId: string, override: RateLimitOverride | undefined): Promise<void>
}

export function createRateLimitOverrides(deps: {
  readonly store: Store
  readonly serverName: string
  readonly tokenCache: Pick<TokenCache, 'forget'>
}): RateLimitOverrides {
  const { store, serverName } = deps
  return {
    get: (userId) =>
      store.read('administration.rateLimit', function* () {
        yield* localUser(userId, serverName)
        return yield* rateLimitOverride(userId)
      }),
    async set(userId, override) {
      await store.write('administration.setRateLimit', function* () {
        yield* localUser(userId, serverName)
        if (override === undefined) yield* deleteRateLimitOverride(userId)
        else yield* setRateLimitOverride(userId, override)
      })
      // It is kept with the tokens.
      deps.tokenCache.forget(userId)
    },
  }
}
