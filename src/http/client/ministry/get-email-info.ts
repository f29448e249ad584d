import { Type } from 'typebox'
import { invalidParam, notFound } from '../../../core/errors.js'
import { route } from '../../route.js'

/**
 * The member node of an e-mail address, which a client asks before anybody has logged in; `{}` where it is nobody's. It says where an address belongs by
 * the node list alone, never whether there is an account with it.
 * NOTSPEC: what Tchap's clients ask. https://github.com/matrix-org/sydent/blob/dinsic/docs/info.md
 */
export const getEmailInfo = route({
  id: 'getEmailInfo',
  method: 'GET',
  paths: ['/_matrix/identity/api/v1/info'],
  auth: 'none',
  rateLimit: 'public',
  query: Type.Object({
    medium: Type.Optional(Type.String({ maxLength: 20 })),
    address: Type.String({ maxLength: 500 }),
  }),
  handler({ query: { medium = 'email', address } }, { nodeList }) {
    if (nodeList === undefined) throw notFound('This server goes by no list of nodes')
    if (medium !== 'email') throw invalidParam('Only the medium `email` has a node')
    const found = nodeList.memberOfAddress(address)
    if (found === 'invalid') throw invalidParam('This is not an e-mail address')
    return Promise.resolve(found === undefined ? {} : { hs: found.serverName })
  },
})
