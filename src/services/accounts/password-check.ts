import { SERVER } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import { replacePasswordHash, usersByIds, type UserRow } from '../../storage/tables/users.js'
import { threepidOwner } from '../../storage/tables/threepids.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Attempts } from './attempts.js'
import { loginCandidates } from './localpart.js'
import { wrongPassword, type LoginName } from './login-name.js'
import type { Passwords } from './passwords.js'

/**
 * Finds the account that a name and a password belong to. Throws M_FORBIDDEN for a wrong pair (in the same words and
 * the same time whether or not the account exists), M_LIMIT_EXCEEDED; M_USER_DEACTIVATED whatever the password, which is
 * forgotten by then, so that who left and came back learns why.
 * Locked accounts pass: whether that matters is the caller's to say.
 */
export type PasswordCheck = (name: LoginName, password: string, ip: string) => Promise<UserRow>

export function createPasswordCheck(deps: {
  readonly store: Store
  readonly passwords: Passwords
  readonly attempts: Attempts
  readonly serverName: string
  readonly audit: AuditTrail
}): PasswordCheck {
  const { store, passwords, attempts, serverName, audit } = deps

  /** The account, and what wrong passwords are counted by where there is none. */
  function* accountOf(name: LoginName): Tx<{ user: UserRow | undefined; key: string }> {
    const address = 'email' in name ? (canonicalEmail(name.email) ?? '') : undefined
    const owner = address === undefined ? undefined : yield* threepidOwner('email', address)
    const candidates =
      'email' in name ? (owner === undefined ? [] : [owner]) : loginCandidates(name.user, serverName)
    const found = yield* usersByIds(candidates)
    const user = candidates
      .map((userId) => found.find((row) => row.user_id === userId))
      .find((row) => row !== undefined)
    return { user, key: candidates.at(-1) ?? address ?? '' }
  }

  /** Who tries is not known. A name that is nobody's may be a password in the wrong field: it is not kept. */
  function countRefusal(user: UserRow | undefined, errcode: string, ip: string): void {
    const on = user === undefined ? {} : { on: user.user_id }
    audit.count({ act: 'session.refused', by: SERVER, ...on, outcome: errcode }, ip)
  }

  async function checked(
    user: UserRow | undefined,
    key: string,
    password: string,
    ip: string,
  ): Promise<UserRow> {
    const account = user?.user_id ?? key
    const attempt = attempts.admit(account, ip)
    let verdict: Awaited<ReturnType<Passwords['verify']>>
    try {
      verdict = await passwords.verify(user?.password_hash, password)
    } catch (error) {
      attempt.withdrawn()
      throw error
    }
    if (user?.deactivated === 1) {
      attempt.withdrawn()
      throw new MatrixError('M_USER_DEACTIVATED', 'This account has been deactivated')
    }
    if (user === undefined || verdict === 'wrong') throw wrongPassword()
    attempt.succeeded()
    if (verdict === 'outdated') {
      const fresh = await passwords.hash(password)
      await store.write('accounts.rehash', () =>
        replacePasswordHash(user.user_id, user.password_hash!, fresh),
      )
    }
    return user
  }

  return async (name, password, ip) => {
    const { user, key } = await store.read('accounts.byName', () => accountOf(name))
    try {
      return await checked(user, key, password, ip)
    } catch (error) {
      if (error instanceof MatrixError) countRefusal(user, error.errcode, ip)
      throw error
    }
  }
}
