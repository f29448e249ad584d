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
    /** Characters of the token that is picked, 1 to 64; default 16. */
    readonly length?: number
    readonly usesAllowed?: number
    readonly expiresTs?: number
  }): Promise<string>
  list(): Promise<readonly ListedToken[]>
  get(token: string): Promise<ListedToken | undefined>
  /** Null: any number of uses, for ever; undefined: as it was. Gives false when there is no such token. Throws M_INVALID_PARAM. */
  update(
    token: string,
    wish: { readonly usesAllowed?: number | null; readonly expiresTs?: number | null },
  ): Promise<boolean>
  /** Gives false when there is no such token. */
  delete(token: string): Promise<boolean>
}

/** With whether a registration may begin with it now. */
export type ListedToken = rows.RegistrationTokenRow & { readonly isValid: boolean }

function isUsable(row: rows.RegistrationTokenRow, now: number): boolean {
  if (row.expires_ts !== null && row.expires_ts <= now) return false
  return row.uses_allowed === null || row.completed + row.pending < row.uses_allowed
}

const GRAMMAR = /^[A-Za-z0-9._~-]{1,64}$/
const MAX_LISTED = 10_000

function checkNumbers(wish: {
  readonly usesAllowed?: number | null
  readonly expiresTs?: number | null
}): void {
  for (const number of [wish.usesAllowed ?? 0, wish.expiresTs ?? 0]) {
    if (!(Number.isSafeInteger(number) && number >= 0))
      throw invalidParam('Uses and expiry are whole numbers, not negative')
  }
}

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
    return row !== undefined && isUsable(row, now)
  }
  const withValidity = (row: rows.RegistrationTokenRow): ListedToken => ({
    ...row,
    isValid: isUsable(row, clock.now()),
  })

  return {
    available,
    isValid: (token) => store.read('registrationTokens.isValid', () => available(token)),
    async create(wish) {
      const token = wish.token ?? random.string(Math.min(64, Math.max(1, wish.length ?? 16)))
      if (!isRegistrationToken(token))
        throw invalidParam('A registration token has 1 to 64 characters of A–Z a–z 0–9 . _ ~ -')
      checkNumbers(wish)
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
    async list() {
      const found = await store.read('registrationTokens.list', () =>
        rows.registrationTokens(clock.now(), MAX_LISTED),
      )
      return found.map(withValidity)
    },
    async get(token) {
      if (!isRegistrationToken(token)) return undefined
      const row = await store.read('registrationTokens.get', () => rows.registrationToken(token, clock.now()))
      return row === undefined ? undefined : withValidity(row)
    },
    async update(token, wish) {
      checkNumbers(wish)
      if (!isRegistrationToken(token)) return false
      return await store.write('registrationTokens.update', function* () {
        const row = yield* rows.registrationToken(token, clock.now())
        if (row === undefined) return false
        const { usesAllowed = row.uses_allowed, expiresTs = row.expires_ts } = wish
        yield* rows.setRegistrationTokenBounds(token, usesAllowed, expiresTs)
        return true
      })
    },
    async delete(token) {
      if (!isRegistrationToken(token)) return false
      return await store.write('registrationTokens.delete', () => rows.deleteRegistrationToken(token))
    },
  }
}
