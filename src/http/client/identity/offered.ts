import { MatrixError } from '../../../core/errors.js'
import type { MemberIdentity } from '../../../services/member-identity/member-identity.js'
import type { OpenId } from '../../../services/openid/openid.js'
import { requestToken } from '../session/request-token.js'

/** The identity server that this node and the members of its list are. Throws M_UNRECOGNIZED where they are none. */
export function offered(members: MemberIdentity | undefined): MemberIdentity {
  if (members === undefined)
    throw new MatrixError('M_UNRECOGNIZED', 'This server is no identity server', {}, 404)
  return members
}

/**
 * The user of this server who asks. A client shows the token by which it proved who it is: it is good for an hour, opens nothing else, and is kept
 * nowhere a second time. Throws M_UNAUTHORIZED.
 */
export async function asker(
  request: Parameters<typeof requestToken>[0],
  openId: Pick<OpenId, 'userOf'>,
): Promise<string> {
  const token = requestToken(request)
  if (token === undefined) throw new MatrixError('M_UNAUTHORIZED', 'Missing access token', {}, 401)
  try {
    return await openId.userOf(token)
  } catch (error) {
    if (!(error instanceof MatrixError)) throw error
    throw new MatrixError('M_UNAUTHORIZED', 'The token is not known, or has expired', {}, 401)
  }
}
