import { Type } from 'typebox'
import { invalidParam, notFound } from '../../../core/errors.js'
import { canonicalEmail } from '../../../core/ids/email-address.js'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

/**
 * The member node of an e-mail address, which a client asks before anybody has logged in; `{}` where it is nobody's. It says where an address belongs by
 * the node list alone, never whether there is an account with it. Whoever proves that the address is theirs (a log-in, or the session of a mail that they
 * have opened) is also told where their account stands, when that is elsewhere: `hs` is that server then, and `new_hs` the one to move to.
 * NOTSPEC: what Tchap's clients ask. https://github.com/matrix-org/sydent/blob/dinsic/docs/info.md
 */
export const getEmailInfo = route({
  id: 'getEmailInfo',
  method: 'GET',
  paths: ['/_matrix/identity/api/v1/info'],
  auth: 'optional-user',
  rateLimit: 'public',
  query: Type.Object({
    medium: Type.Optional(Type.String({ maxLength: 20 })),
    address: Type.String({ maxLength: 500 }),
    sid: Type.Optional(Short),
    client_secret: Type.Optional(Short),
  }),
  handler({ requester, query }, { nodeList, whereabouts }) {
    const { medium = 'email', address, sid, client_secret: clientSecret } = query
    if (nodeList === undefined) throw notFound('This server goes by no list of nodes')
    if (medium !== 'email') throw invalidParam('Only the medium `email` has a node')
    if (canonicalEmail(address) === undefined) throw invalidParam('This is not an e-mail address')
    const credentials = sid === undefined || clientSecret === undefined ? undefined : { sid, clientSecret }
    return whereabouts(address, { userId: requester?.userId, credentials })
  },
})
