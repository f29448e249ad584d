import { Type } from 'typebox'
import { offered } from '../../client/identity/offered.js'
import { membersOnly } from '../../client/ministry/circle-only.js'
import { route } from '../../route.js'
import { Short } from '../../validate.js'

/** A member's user invites an address that belongs to this server. NOTSPEC: between the servers of a circle. */
export const storeInviteForMember = route({
  id: 'storeInviteForMember',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery.identity/store_invite'],
  auth: 'server',
  rateLimit: 'invite',
  maxBody: 16 * 1024,
  body: Type.Object({ medium: Short, address: Short, room_id: Short, sender: Short }),
  async handler({ origin, body }, { memberIdentity, nodeList }) {
    const members = offered(memberIdentity)
    membersOnly(nodeList, origin)
    const kept = await members.keepFor(origin, body)
    return 'boundTo' in kept
      ? { mxid: kept.boundTo }
      : { token: kept.token, display_name: kept.displayName, public_keys: kept.publicKeys }
  },
})
