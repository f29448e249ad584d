import { forbidden } from '../../core/errors.js'
import type { Requester } from '../../services/requester.js'

/** The user id of the path, which must be the caller's own. Throws M_FORBIDDEN. */
export function ownUserId(requester: Requester, params: Readonly<Record<string, string>>): string {
  const userId = params['userId']!
  if (userId !== requester.userId) throw forbidden('This belongs to another user')
  return userId
}
