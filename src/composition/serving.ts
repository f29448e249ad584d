import type { Transport } from '../services/federation/transport.js'
import type { PduIntake } from '../services/replication/peers/pdu-intake.js'
import { createEventByTimeServing } from '../services/replication/serving/serve-by-time.js'
import { createInviteServing } from '../services/replication/serving/serve-invite.js'
import { createMembershipServing } from '../services/replication/serving/serve-membership.js'
import { createFederationReads } from '../services/replication/serving/serve-reads.js'
import { createThirdPartyInvites } from '../services/replication/serving/third-party-invites.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { Memberships } from '../services/rooms/membership.js'
import type { OutsideMemberships } from '../services/rooms/outside-memberships.js'
import type { KeptInvites } from '../services/member-identity/kept-invites.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { Services } from '../services/services.js'
import { memberKeyFetch } from './member-identity.js'

/** What other servers may ask. */
export type Serving = Pick<
  Services,
  | 'membershipServing'
  | 'thirdPartyInvites'
  | 'inviteServing'
  | 'federationReads'
  | 'eventByTimeServing'
  | 'serverKeys'
  | 'notary'
>

export function buildServing(deps: {
  readonly context: RoomsContext
  readonly nodeList: NodeListService | undefined
  readonly invites: KeptInvites | undefined
  readonly transport: Transport
  readonly intake: PduIntake
  readonly outside: OutsideMemberships
  readonly memberships: Memberships
  /** Throws M_INVITE_BLOCKED. */
  checkInvitable(userId: string, inviter: string): Promise<void>
  userRow(userId: string): Promise<{ readonly deactivated: number } | undefined>
}): Serving {
  const { context, transport } = deps
  return {
    membershipServing: createMembershipServing({ context, keys: transport.keys }),
    thirdPartyInvites: createThirdPartyInvites({
      context,
      memberships: deps.memberships,
      client: transport.client,
      fetchJson: memberKeyFetch({ ...deps, serverName: context.serverName }),
    }),
    inviteServing: createInviteServing({
      context,
      keys: transport.keys,
      intake: deps.intake,
      outside: deps.outside,
      checkInvitable: deps.checkInvitable,
      isActiveUser: async (userId) => (await deps.userRow(userId))?.deactivated === 0,
    }),
    federationReads: createFederationReads(context),
    eventByTimeServing: createEventByTimeServing(context),
    serverKeys: transport.keys,
    notary: transport.notary,
  }
}
