import type { RemoteMemberships } from '../../rooms/remote-memberships.js'
import type { HandshakeDeps } from './handshake.js'
import { inviteRemote } from './invite.js'
import { createJoin } from './join.js'
import { knockRemote } from './knock.js'
import { leaveRemote } from './leave.js'
import { resolveRemoteAlias } from '../peers/queries.js'

/** The handshakes of users of this server with others. SPEC: https://spec.matrix.org/v1.19/server-server-api/#joining-rooms */
export function createRemoteMemberships(deps: HandshakeDeps): RemoteMemberships {
  const join = createJoin(deps)
  return {
    join,
    leave: (userId, roomId, via, content) => leaveRemote(deps, userId, roomId, via, content),
    knock: (userId, roomId, via, content) => knockRemote(deps, userId, roomId, via, content),
    invite: (event, server) => inviteRemote(deps, event, server),
    resolveAlias: (alias) => resolveRemoteAlias(deps.client, alias),
  }
}
