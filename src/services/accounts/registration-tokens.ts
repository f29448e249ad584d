import { invalidParam, MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import * as rows from '../../storage/tables/registration-tokens.js'
import type { Store, Tx } from '../../storage/tx.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#token-authenticated-registration */
export interface RegistrationTokens {
  /** Whether a registration may begin with the token now. Any string may be asked about. */
  isValid(token: string): Promise<boolean>
  /** As `isValid`, inside a transaction; uses that other sessions have reserved count. */
  available(token: string): Tx<boolean>
  /** Throws M_INVALID_PARAM; the token is picked when none is given. */
  create(wish: {
    readonly token?: string
    readonly usesAllowed?: number
    readonly expiresTs?: number
  }): Promise<string>
  list(): Promise<readonly rows.RegistrationTokenRow[]>
  /** Gives false when there is no such token. */
  delete(token: string): Promise<boolean>
}

const GRAMMAR = /^[A-Za-z0-9._~-]{1,64}$/
const MAX_LISTED = 10_000

export const isRegistrationToken = (token: string): boolean => GRAMMAR.test(token)

export function createRegistrationTokens(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}): RegistrationTokens {
  const { store, clock, random } = deps

  function* available(token: string): Tx<boolean> {
    if (!isRegistrationToken(token)) return false
    const now = clock.now()
    const row = yield* rows.registrationToken(token, now)
    if (row === undefined || (row.expires_ts !== null && row.expires_ts <= now)) return false
    return row.uses_allowed === null || row.completed + row.pending < row.uses_allowed
  }

  return {
    available,
    isValid: (token) => store.read('registrationTokens.isValid', () => available(token)),
    async create(wish) {
      const token = wish.token ?? random.string(16)
      if (!isRegistrationToken(token))
        throw invalidParam('A registration token has 1 to 64 characters of A–Z a–z 0–9 . _ ~ -')
      for (const number of [wish.usesAllowed, wish.expiresTs]) {
        if (number !== undefined && !(Number.isSafeInteger(number) && number >= 0))
          throw invalidParam('Uses and expiry are whole numbers, not negative')
      }
      const isNew = await store.write('registrationTokens.create', () =>
        rows.insertRegistrationToken({
          token,
          usesAllowed: wish.usesAllowed ?? null,
          expiresTs: wish.expiresTs ?? null,
          createdTs: clock.now(),
        }),
      )
      if (!isNew) throw new MatrixError('M_INVALID_PARAM', 'The token exists already')
      return token
    },
    list: () => store.read('registrationTokens.list', () => rows.registrationTokens(clock.now(), MAX_LISTED)),
    async delete(token) {
      if (!isRegistrationToken(token)) return false
      return await store.write('registrationTokens.delete', () => rows.deleteRegistrationToken(token))
    },
  }
}
