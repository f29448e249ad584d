import { LookupBody } from '../../client/identity/lookup.js'
import { offered } from '../../client/identity/offered.js'
import { membersOnly } from '../../client/ministry/circle-only.js'
import { route } from '../../route.js'

/** A member asks for users of this server by hashes of their addresses. NOTSPEC: between the servers of a circle. */
export const lookupForMember = route({
  id: 'lookupForMember',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery.identity/lookup'],
  auth: 'server',
  rateLimit: 'federation',
  maxBody: 256 * 1024,
  body: LookupBody,
  async handler({ origin, body }, { memberIdentity, nodeList }) {
    const members = offered(memberIdentity)
    membersOnly(nodeList, origin)
    const { addresses: hashes, algorithm, pepper } = body
    return { mappings: await members.lookupFor(origin, { hashes, algorithm, pepper }) }
  },
})
