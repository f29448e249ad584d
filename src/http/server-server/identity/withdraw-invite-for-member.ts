import { Type } from 'typebox'
import { offered } from '../../client/identity/offered.js'
import { membersOnly } from '../../client/ministry/circle-only.js'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

/** An invitation of a member's user was taken back in its room. NOTSPEC: between the servers of a circle. */
export const withdrawInviteForMember = route({
  id: 'withdrawInviteForMember',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery.identity/withdraw_invite'],
  auth: 'server',
  rateLimit: 'invite',
  maxBody: 16 * 1024,
  body: Type.Object({ token: Short, sender: Short }),
  async handler({ origin, body }, { memberIdentity, nodeList }) {
    const members = offered(memberIdentity)
    membersOnly(nodeList, origin)
    await members.withdrawFor(origin, body)
    return {}
  },
})
