import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import * as rows from '../../storage/tables/openid-tokens.js'
import type { Store } from '../../storage/tx.js'
import { newToken, tokenHash } from '../accounts/secret-token.js'

/** Tokens that prove to another service who a user is, and open nothing else. SPEC: https://spec.matrix.org/v1.19/client-server-api/#openid */
export interface OpenId {
  issue(userId: string): Promise<{
    readonly access_token: string
    readonly token_type: 'Bearer'
    readonly matrix_server_name: string
    /** Seconds. */
    readonly expires_in: number
  }>
  /** Whose token it is. Throws M_UNKNOWN_TOKEN. */
  userOf(token: string): Promise<string>
  /** Post: the token proves nothing any more. One that is not known is none already. */
  revoke(token: string): Promise<void>
  /** Job: forgets expired tokens. */
  prune(): Promise<void>
}

const LIFETIME_S = 3_600
/** More at once, and the oldest of the user's tokens is void. */
const MAX_PER_USER = 50

export function createOpenId(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly serverName: string
}): OpenId {
  const { store, clock, random, serverName } = deps
  return {
    async issue(userId) {
      const token = newToken(random, 'openid')
      await store.write('openid.issue', function* () {
        yield* rows.insertOpenidToken({
          tokenHash: tokenHash(token),
          userId,
          expiresTs: clock.now() + LIFETIME_S * 1_000,
        })
        yield* rows.pruneOpenidTokensOf(userId, MAX_PER_USER)
      })
      return {
        access_token: token,
        token_type: 'Bearer',
        matrix_server_name: serverName,
        expires_in: LIFETIME_S,
      }
    },
    async userOf(token) {
      const hash = tokenHash(token)
      const userId = await store.read('openid.user', () => rows.openidTokenOwner(hash, clock.now()))
      if (userId === undefined)
        throw new MatrixError('M_UNKNOWN_TOKEN', 'The token is not known, or has expired')
      return userId
    },
    revoke: (token) => store.write('openid.revoke', () => rows.deleteOpenidToken(tokenHash(token))),
    prune: () => store.write('openid.prune', () => rows.deleteExpiredOpenidTokens(clock.now())),
  }
}
