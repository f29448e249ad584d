import { Type } from 'typebox'
import { invalidParam } from '../../../core/errors.js'
import { membersOnly } from '../../client/ministry/circle-only.js'
import { route } from '../../route.js'

/**
 * Where an address belongs, whether an account takes an invitation there, and whether there is one: to members of the node list alone, since others could
 * ask who is invited. `invited` is told of addresses of this server; the others know of theirs.
 * NOTSPEC: what homeservers of Tchap ask. https://github.com/matrix-org/sydent/blob/dinsic/docs/info.md
 */
export const getInternalInfo = route({
  id: 'getInternalInfo',
  method: 'GET',
  paths: ['/_matrix/identity/api/v1/internal-info'],
  auth: 'server',
  rateLimit: 'federation',
  query: Type.Object({
    medium: Type.Optional(Type.String({ maxLength: 20 })),
    address: Type.String({ maxLength: 500 }),
  }),
  async handler({ origin, query: { medium = 'email', address } }, { nodeList, memberIdentity }) {
    const list = membersOnly(nodeList, origin)
    if (medium !== 'email') throw invalidParam('Only the medium `email` has a node')
    const home = list.memberOfAddress(address)
    if (home === 'invalid') throw invalidParam('This is not an e-mail address')
    if (home === undefined) return {}
    return {
      hs: home.serverName,
      requires_invite: home.role === 'external',
      invited: (await memberIdentity?.isInvited(address)) === true,
    }
  },
})
