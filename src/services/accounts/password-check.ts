import { MatrixError } from '../../core/errors.js'
import { replacePasswordHash, usersByIds, type UserRow } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { Attempts } from './attempts.js'
import { loginCandidates } from './localpart.js'
import type { Passwords } from './passwords.js'

/**
 * Finds the account that a name and a password belong to. Throws M_FORBIDDEN for a wrong pair (in the same words and
 * the same time whether or not the account exists), M_USER_DEACTIVATED, M_LIMIT_EXCEEDED.
 * Locked accounts pass: whether that matters is the caller's to say.
 */
export type PasswordCheck = (name: string, password: string, ip: string) => Promise<UserRow>

export const wrongPassword = (): MatrixError =>
  new MatrixError('M_FORBIDDEN', 'The user name or the password is wrong')

export function createPasswordCheck(deps: {
  readonly store: Store
  readonly passwords: Passwords
  readonly attempts: Attempts
  readonly serverName: string
}): PasswordCheck {
  const { store, passwords, attempts, serverName } = deps
  return async (name, password, ip) => {
    const candidates = loginCandidates(name, serverName)
    const found = await store.read('accounts.byName', () => usersByIds(candidates))
    const user = candidates
      .map((userId) => found.find((row) => row.user_id === userId))
      .find((row) => row !== undefined)
    const account = user?.user_id ?? candidates.at(-1) ?? ''
    attempts.admit(account, ip)
    const verdict = await passwords.verify(user?.password_hash, password)
    if (user?.deactivated === 1)
      throw new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated')
    if (user === undefined || verdict === 'wrong') {
      attempts.failed(account, ip)
      throw wrongPassword()
    }
    attempts.succeeded(account, ip)
    if (verdict === 'outdated') {
      const fresh = await passwords.hash(password)
      await store.write('accounts.rehash', () =>
        replacePasswordHash(user.user_id, user.password_hash!, fresh),
      )
    }
    return user
  }
}
