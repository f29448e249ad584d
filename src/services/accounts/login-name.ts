import { MatrixError } from '../../core/errors.js'
import { isObject, type JsonObject } from '../../core/json/value.js'

/** How a client names an account: by a user id or its localpart, or by an e-mail address of the account. */
export type LoginName = { readonly user: string } | { readonly email: string }

export const wrongPassword = (): MatrixError =>
  new MatrixError('M_FORBIDDEN', 'The user name or the password is wrong')

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/**
 * The account that a request means: its `identifier`, or the old fields `user`, `medium` and `address`. Undefined where it names none.
 * Throws M_FORBIDDEN for telephone numbers, which no account has, M_UNKNOWN for identifiers of unknown type.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#identifier-types
 */
export function loginNameOf(request: JsonObject): LoginName | undefined {
  const identifier = request['identifier']
  if (!isObject(identifier)) return request['medium'] === undefined ? byUser(request) : byAddress(request)
  switch (identifier['type']) {
    case 'm.id.user':
      return byUser(identifier)
    case 'm.id.thirdparty':
      return byAddress(identifier)
    case 'm.id.phone':
      throw wrongPassword()
    default:
      throw new MatrixError('M_UNKNOWN', 'This type of identifier is not supported', {}, 400)
  }
}

function byUser(fields: JsonObject): LoginName | undefined {
  const user = text(fields['user'])
  return user === undefined ? undefined : { user }
}

function byAddress(fields: JsonObject): LoginName | undefined {
  const email = text(fields['address'])
  if (email === undefined) return undefined
  if (fields['medium'] !== 'email') throw wrongPassword()
  return { email }
}
