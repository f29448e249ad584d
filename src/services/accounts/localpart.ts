import { MatrixError } from '../../core/errors.js'
import { isStrictLocalpart, isUserId, parseUserId } from '../../core/ids/user-id.js'

/** Letters of ASCII alone: a general lower-casing maps foreign letters onto ASCII ones, i.e. onto other accounts. */
export const lowerAscii = (text: string): string =>
  text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

/**
 * The user id for a wished user name, which is lower-cased. Throws M_INVALID_USERNAME.
 * Names of digits alone are kept for guests, whose ids are generated.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#user-identifiers
 */
export function userIdFor(username: string, serverName: string): string {
  const localpart = lowerAscii(username)
  if (localpart.length > 255 || !isStrictLocalpart(localpart))
    throw new MatrixError(
      'M_INVALID_USERNAME',
      'A user name consists of the letters a–z, digits and the characters . _ = - / +',
    )
  if (/^[0-9]+$/.test(localpart))
    throw new MatrixError('M_INVALID_USERNAME', 'A user name must not consist of digits alone')
  const userId = `@${localpart}:${serverName}`
  if (!isUserId(userId)) throw new MatrixError('M_INVALID_USERNAME', 'The user name is too long')
  return userId
}

/**
 * The accounts that a name given at log-in may mean, likeliest first: a user id or a localpart, as written and in lower
 * case. Empty for users of other servers and for what is no name at all.
 */
export function loginCandidates(name: string, serverName: string): readonly string[] {
  if (name.length > 255) return []
  const asId = parseUserId(name)
  const localpart = asId === undefined ? name : asId.domain === serverName ? asId.localpart : undefined
  if (localpart === undefined || localpart === '') return []
  const ids = [`@${localpart}:${serverName}`, `@${lowerAscii(localpart)}:${serverName}`]
  return [...new Set(ids)].filter(isUserId)
}
