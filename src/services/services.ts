import type { AccountMoves } from './account-moves/account-moves.js'
import type { KeptDeposits } from './audit-deposits/keep-deposits.js'
import type { MadeDeposits } from './audit-deposits/make-deposits.js'
import type { AuditCuts } from './audit-deposits/audit-cuts.js'
import type { AuditFeed } from './audit/audit-feed.js'
import type { ModerationDesk } from './moderation-desk/moderation-desk.js'
import type { AccountValidity } from './account-validity/account-validity.js'
import type { Audit } from './audit/audit.js'
import type { AccountData } from './account-data/account-data.js'
import type { Accounts } from './accounts/accounts.js'
import type { UserStates } from './accounts/user-states.js'
import type { BoundQueues } from './appservices/bound-queues.js'
import type { PingAppservice } from './appservices/ping.js'
import type { AppserviceQueries } from './appservices/queries.js'
import type { OpenId } from './openid/openid.js'
import type { Reports } from './reports/reports.js'
import type { MutualRooms } from './directory/mutual-rooms.js'
import type { Threepids } from './threepids/threepids.js'
import type { AddressProof, Whereabouts } from './member-identity/whereabouts.js'
import type { MemberIdentity } from './member-identity/member-identity.js'
import type { Bindings } from './identity/bindings.js'
import type { DehydratedDevices } from './dehydrated-devices/dehydrated-devices.js'
import type { DelayedEvents } from './delayed-events/delayed-events.js'
import type { Devices } from './devices/devices.js'
import type { AdminBot } from './admin-bot/admin-bot.js'
import type { AdminCommands } from './admin-commands/admin-commands.js'
import type { AdminActs } from './administration/acts.js'
import type { Administration } from './administration/administration.js'
import type { Operator } from './operator/operator.js'
import type { Filters } from './filters/filters.js'
import type { Profile } from './profile/profile.js'
import type { ServerInfo } from './server-info/server-info.js'
import type { Media } from './media/media.js'
import type { Retention } from './retention/retention.js'
import type { Scanning } from './scanning/scanning.js'
import type { E2ee } from './e2ee/e2ee.js'
import type { ToDevice } from './to-device/to-device.js'
import type { Aliases } from './rooms/aliases.js'
import type { AddressInvites } from './rooms/address-invites.js'
import type { RoomCreation } from './rooms/create-room.js'
import type { Guests } from './rooms/guests.js'
import type { Memberships } from './rooms/membership.js'
import type { Sending } from './rooms/send.js'
import type { PushRules } from './push/push-rules.js'
import type { RuleEditor } from './push/rule-editor.js'
import type { Pushers } from './pushers/pushers.js'
import type { NodeListService } from './node-list/node-list.js'
import type { Notifications } from './pushers/notifications.js'
import type { ServerNotices } from './server-notices/server-notices.js'
import type { Receipts } from './receipts/receipts.js'
import type { PublicRooms } from './directory/public-rooms.js'
import type { MemberPeople } from './directory/member-people.js'
import type { UserDirectory } from './directory/user-directory.js'
import type { Presence } from './presence/presence.js'
import type { RoomUpgrades } from './upgrades/upgrade-room.js'
import type { Spaces } from './spaces/spaces.js'
import type { EventByTime } from './timeline/event-by-time.js'
import type { EventStream } from './timeline/event-stream.js'
import type { InitialSync } from './timeline/initial-sync.js'
import type { History } from './timeline/history.js'
import type { Relations } from './relations/relations.js'
import type { Search } from './search/search.js'
import type { Previews } from './previews/previews.js'
import type { SlidingSync } from './sync/sliding/sliding-sync.js'
import type { Sync } from './sync/sync.js'
import type { SecondFactor } from './second-factor/second-factor.js'
import type { StickyEvents } from './rooms/sticky-events.js'
import type { ThreadSubscriptions } from './thread-subscriptions/thread-subscriptions.js'
import type { TypingNotices } from './typing/typing-notices.js'
import type { Inbound } from './replication/receiving/inbound.js'
import type { NodeInfo } from './node-info.js'
import type { Keys } from './federation/keys.js'
import type { NotaryService } from './federation/notary.js'
import type { EventByTimeServing } from './replication/serving/serve-by-time.js'
import type { ThirdPartyInvites } from './replication/serving/third-party-invites.js'
import type { InviteServing } from './replication/serving/serve-invite.js'
import type { MembershipServing } from './replication/serving/serve-membership.js'
import type { FederationReads } from './replication/serving/serve-reads.js'

/** Everything that an endpoint may call. Built in `composition/services.ts`. */
export interface Services {
  readonly audit: Audit
  readonly auditDeposits: { readonly kept: KeptDeposits; readonly made: MadeDeposits }
  /** Undefined where the log goes to no log server. */
  readonly auditFeed: AuditFeed | undefined
  readonly auditCuts: AuditCuts
  readonly nodeInfo: NodeInfo
  readonly media: Media
  readonly previews: Previews
  readonly scanning: Scanning
  readonly retention: Retention
  readonly serverInfo: ServerInfo
  readonly devices: Devices
  readonly accounts: Accounts
  /** Undefined where accounts do not expire. */
  readonly accountValidity: AccountValidity | undefined
  readonly appservices: {
    readonly queries: AppserviceQueries
    readonly ping: PingAppservice
    readonly boundQueues: BoundQueues
  }
  readonly accountMoves: AccountMoves
  readonly threepids: Threepids
  readonly openId: OpenId
  readonly bindings: Bindings
  /** Undefined where invitations are an identity server's business. */
  readonly memberIdentity: MemberIdentity | undefined
  /** Where a client logs in with an e-mail address. */
  whereabouts(address: string, proof: AddressProof): Promise<Whereabouts>
  readonly reports: Reports
  readonly moderationDesk: ModerationDesk
  /** Where lists of the banned are followed, reads them anew. */
  readonly policyLists: { refresh(): Promise<void> }
  readonly mutualRooms: MutualRooms
  readonly operator: Operator
  /** The same for the command line: each act is told to the audit log. */
  readonly commandLine: Operator
  readonly administration: Administration
  readonly adminActs: AdminActs
  readonly adminCommands: AdminCommands
  /** Undefined where the configuration gives it no name. */
  readonly adminBot: AdminBot | undefined
  readonly secondFactor: SecondFactor
  readonly profile: Profile
  readonly accountData: AccountData
  readonly filters: Filters
  readonly toDevice: ToDevice
  readonly e2ee: E2ee
  readonly sending: Sending
  readonly delayedEvents: DelayedEvents
  readonly dehydratedDevices: DehydratedDevices
  readonly stickyEvents: Pick<StickyEvents, 'prune'>
  readonly threadSubscriptions: ThreadSubscriptions
  readonly roomCreation: RoomCreation
  readonly roomUpgrades: RoomUpgrades
  readonly memberships: Memberships
  readonly addressInvites: AddressInvites
  readonly guests: Guests
  readonly aliases: Aliases
  readonly pushRules: PushRules
  readonly ruleEditor: RuleEditor
  readonly pushers: Pushers
  readonly notifications: Notifications
  readonly serverNotices: ServerNotices
  /** Undefined where the configuration names no list. */
  readonly nodeList: NodeListService | undefined
  readonly userStates: UserStates
  readonly receipts: Receipts
  readonly typingNotices: TypingNotices
  readonly presence: Presence
  readonly publicRooms: PublicRooms
  readonly userDirectory: UserDirectory
  /** Undefined where people are not looked for in a circle. */
  readonly memberPeople: MemberPeople | undefined
  readonly spaces: Spaces
  readonly history: History
  readonly initialSync: InitialSync
  readonly eventStream: EventStream
  readonly relations: Relations
  readonly search: Search
  readonly eventByTime: EventByTime
  readonly sync: Sync
  readonly slidingSync: SlidingSync
  readonly inbound: Inbound
  readonly membershipServing: MembershipServing
  readonly inviteServing: InviteServing
  readonly thirdPartyInvites: ThirdPartyInvites
  readonly federationReads: FederationReads
  readonly eventByTimeServing: EventByTimeServing
  readonly serverKeys: Pick<Keys, 'ownDocument'>
  readonly notary: NotaryService
}
