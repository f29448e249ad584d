import { MatrixError } from '../../core/errors.js'
import { setProfileField } from '../../storage/tables/profiles.js'
import { insertUser, userById } from '../../storage/tables/users.js'
import type { Tx } from '../../storage/tx.js'

/**
 * Post: an account in whose name the server itself speaks is there, and looks as configured; it has no password, and nobody logs in to it. Throws
 * M_UNKNOWN where a person, a guest or an application service has its name.
 */
export function* ensureOwnAccount(look: {
  readonly userId: string
  readonly displayName: string
  readonly avatarUrl?: string | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}): Tx<void> {
  const { userId, avatarUrl } = look
  const known = yield* userById(userId)
  const isOthers =
    known !== undefined &&
    (known.password_hash !== null ||
      known.deactivated === 1 ||
      known.is_guest === 1 ||
      known.appservice_id !== null)
  if (isOthers) throw new MatrixError('M_UNKNOWN', `${userId} is somebody’s account: choose another name`)
  if (known === undefined)
    yield* insertUser({
      userId,
      passwordHash: null,
      createdTs: look.now,
      isGuest: false,
      isAdmin: false,
      appserviceId: null,
    })
  yield* setProfileField(userId, 'displayname', JSON.stringify(look.displayName))
  if (avatarUrl !== undefined) yield* setProfileField(userId, 'avatar_url', JSON.stringify(avatarUrl))
}
