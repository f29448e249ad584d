import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import { verifySignatureBy } from '../platform/ed25519.js'
import type { Logger } from '../platform/logger.js'
import type { Metrics } from '../platform/metrics.js'
import { createNotifier, type Notifier } from '../platform/notifier.js'
import type { Random } from '../platform/random.js'
import { createSemaphore } from '../platform/semaphore.js'
import { createAccountData } from '../services/account-data/account-data.js'
import { createAccounts } from '../services/accounts/accounts.js'
import { createTokenCache } from '../services/devices/token-cache.js'
import { createE2ee, type E2ee } from '../services/e2ee/e2ee.js'
import type { OwnKeys } from '../services/federation/own-keys.js'
import type { Transport } from '../services/federation/transport.js'
import { createFilters } from '../services/filters/filters.js'
import type { Mailer } from '../services/mail/mailer.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import { createOpenId } from '../services/openid/openid.js'
import { PUSH_DATA } from '../services/push/push-rules.js'
import { createRuleEditor } from '../services/push/rule-editor.js'
import { createPushWatch } from '../services/pushers/watch.js'
import { createReceipts } from '../services/receipts/receipts.js'
import type { Sender } from '../services/replication/sending/sender.js'
import { createPduIntake } from '../services/replication/peers/pdu-intake.js'
import { createArrivals } from '../services/replication/handshakes/arrivals.js'
import { createReports } from '../services/reports/reports.js'
import { createAddressInvites } from '../services/rooms/address-invites.js'
import { createAliases } from '../services/rooms/aliases.js'
import { createRoomCreation } from '../services/rooms/create-room.js'
import { createGuests } from '../services/rooms/guests.js'
import { createMemberships } from '../services/rooms/membership.js'
import { createPolicySigner } from '../services/rooms/policy-servers.js'
import { createSending } from '../services/rooms/send.js'
import { tellingWithdrawals } from '../services/rooms/withdrawn-offers.js'
import type { StateResolving } from '../services/rooms/resolve-aside.js'
import { createServerNotices } from '../services/server-notices/server-notices.js'
import { requesterOf } from '../services/requester.js'
import type { Services } from '../services/services.js'
import { createEphemeralPositions } from '../services/ephemeral-positions.js'
import { createPresence } from '../services/presence/presence.js'
import { createSettingsCarrier } from '../services/upgrades/carry-settings.js'
import { createSpaces } from '../services/spaces/spaces.js'
import { createClientViews } from '../services/timeline/client-view.js'
import { loadLostPositions } from '../services/timeline/lost-positions.js'
import { parseSyncToken } from '../services/timeline/tokens.js'
import { createToDevice } from '../services/to-device/to-device.js'
import { createTypingNotices } from '../services/typing/typing-notices.js'
import { createTyping } from '../services/typing/typing.js'
import { isCrossSigningKey } from '../storage/tables/cross-signing.js'
import type { Store } from '../storage/tx.js'
import { auditedRotation, buildAudit, buildAuditReaders, policyRefusals } from './audit.js'
import { buildMoves } from './account-moves.js'
import { accountsOptions, eventSignerOf, noticesOptions } from './options.js'
import { roomRules } from './access-policy.js'
import { buildAccountValidity, expiryHooks } from './account-validity.js'
import { buildAdministration } from './administration.js'
import { buildAppservices, type AppserviceParts } from './appservices.js'
import { buildDevices } from './devices.js'
import { buildDirectory } from './directory.js'
import { buildHandshakes } from './handshakes.js'
import { buildIdentity } from './identity.js'
import { buildInfo } from './info.js'
import { buildMail } from './mail.js'
import { buildMedia } from './media.js'
import { invitable } from './own-accounts.js'
import { buildPolicyLists } from './policy-lists.js'
import { buildProfile } from './profile.js'
import { buildProposals } from './proposals.js'
import { buildPushers, stagingHooks, type PushParts } from './pushers.js'
import { buildReading } from './reading.js'
import { buildReplication, type Replication } from './replication.js'
import { buildRetention } from './retention.js'
import { roomHooks } from './room-hooks.js'
import { buildRooms, type RoomsParts } from './rooms.js'
import { buildServing } from './serving.js'
import { buildSyncing } from './syncing.js'
import { buildTransport } from './transport.js'
import { buildUserStates } from './user-states.js'

export interface BuildDeps {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly ownKeys: OwnKeys
  /** Why the last write failed at the disk, while none has succeeded since. */
  readonly writeFault?: () => string | undefined
  readonly metrics: Metrics | undefined
  /** What the parts report to; absent where metrics are off. */
  readonly nodeMetrics?: NodeMetrics
  readonly resolver?: StateResolving
}

export interface Built {
  readonly services: Services
  readonly rooms: RoomsParts
  readonly transport: Transport
  readonly sender: Sender
  readonly drain: Replication['drain']
  readonly repairs: Replication['repairs']
  readonly completion: Replication['completion']
  readonly notifier: Notifier
  readonly mailer: Mailer | undefined
  /** Processes and connections that are for media. */
  readonly mediaParts: { close(): Promise<void> }
  readonly push: PushParts
  readonly appservices: AppserviceParts
}

/** Builds every service, in order: each is given what stands before it, and what comes later only as a function. */
export async function buildServices(deps: BuildDeps): Promise<Built> {
  const { config, store, clock, random, logger, ownKeys, nodeMetrics } = deps
  const serverName = config.server_name
  const audit = buildAudit(deps)
  const lost = await loadLostPositions(deps)
  const appservices = await buildAppservices({ ...deps, serverName })
  const notifier = appservices.listening(createNotifier())
  const base = { store, clock, random, logger, notifier, serverName, audit }
  const { signer } = ownKeys
  const eventSigner = eventSignerOf(signer, serverName)
  const policyLists = buildPolicyLists({ ...base, config })
  const { transport, sender, nodeList } = await buildTransport({
    ...deps,
    ...base,
    isBanned: policyLists.bansServer,
  })
  const wakeSender = (destinations: readonly string[]): void => sender.wake(destinations)

  const auditReaders = buildAuditReaders({ ...base, config, signer: eventSigner, transport, nodeList })
  const { nodeInfo, serverInfo } = buildInfo(deps)
  const { media, previews, scanning, ...mediaParts } = await buildMedia({
    ...base,
    ...{ config, transport, signer, nodeList, nodeMetrics },
  })
  const { mailer, threepids, invites, takeBack } = buildMail({
    ...base,
    config,
    nodeList,
    redeem: (invite) => services.thirdPartyInvites.redeem(invite),
  })
  const tokenCache = createTokenCache(clock, { onForget: (userId) => notifier.notify([userId]) })
  const toDevice = createToDevice({ ...base, wakeSender, stage: appservices.watch.stageToDevice })
  // Devices come before the keys that go with them, and keys need the confirmation that accounts give.
  const e2ee: E2ee = createE2ee({
    ...base,
    wakeSender,
    owners: appservices.keyOwners,
    federation: { request: (request) => transport.client.request(request) },
    confirmByUser: (confirmation) => accounts.credentials.confirm(confirmation),
    parsePosition: (token) => {
      const { pos } = parseSyncToken(token)
      return lost.isLost(pos) ? 0 : pos
    },
    options: { displayNamesOverFederation: config.federation.share_device_names },
  })
  const devices = buildDevices({ ...base, config, tokenCache, e2ee, toDevice })

  const pushWatch = createPushWatch({ store })
  await pushWatch.load()
  const kept = await buildRetention({ ...base, config, eventSigner, transport, nodeList })
  const rooms = buildRooms({
    ...base,
    ...appservices.staging(stagingHooks(pushWatch, () => push.planner.wake(), takeBack)),
    signer: eventSigner,
    policySigner: createPolicySigner({
      client: transport.client,
      clock,
      verifySignature: verifySignatureBy,
    }),
    defaultRoomVersion: config.rooms.default_room_version,
    ...roomRules(config, nodeList),
    followedThreads: config.push.followed_threads,
    ...kept.ofRooms,
    onPolicyRefusal: policyRefusals(audit),
    policiesOf: policyLists.of,
    ...(deps.resolver && { resolver: deps.resolver }),
    wakeSender,
    onLocalJoin(roomId, userId) {
      void settings.onLocalJoin(roomId, userId)
      void presence.onLocalJoin(roomId, userId)
    },
    onLocalActivity: (userId) => presence.onActivity(userId),
    onGuestAccess: (roomId) => {
      void guests.checkRoom(roomId).catch((error: unknown) => {
        logger.warn({ err: error, roomId }, 'cannot look for guests in a room')
      })
    },
    ...roomHooks(e2ee, nodeMetrics),
  })
  const { context } = rooms
  const { profile, profileRooms, memberProfile, inviteeProfile, redList } = buildProfile({
    config,
    context,
    transport,
    nodeList,
    notifier,
    ...appservices.queries,
  })
  const accountData = createAccountData({
    store,
    notifier,
    onSet: (userId, type) => {
      if (PUSH_DATA.includes(type)) rooms.pushRules.forget(userId)
    },
  })
  const filters = createFilters({ store })

  const intake = createPduIntake({ keys: transport.keys, logger })
  const arrivals = createArrivals()
  const remote = buildHandshakes({ config, context, transport, intake, outside: rooms.outside, arrivals })
  const checkInvitable = invitable(config, store)
  const aliases = createAliases(context, remote, appservices.aliasRules)
  const memberships = createMemberships({
    context,
    aliases,
    remote,
    outside: rooms.outside,
    memberProfile,
    inviteeProfile,
    serversListing: (roomId) => services.publicRooms.serversOf(roomId),
    checkInvitable,
    checkRejection: (userId, roomId) => serverNotices.checkRejection(userId, roomId),
    acceptAddressInvite: (userId, roomId, signed) =>
      services.thirdPartyInvites.accept(userId, roomId, signed),
    userExists: async (userId) => (await appservices.userRow(userId)) !== undefined,
  })
  const guests = createGuests({
    context,
    leave: (userId, roomId) => memberships.leave(requesterOf(userId), { roomId }),
  })
  const accountValidity = await buildAccountValidity({
    ...{ ...base, config, tokenCache, mailer },
    deactivate: (...account) => accounts.credentials.deactivate(...account),
  })
  const accounts = createAccounts({
    ...base,
    ...expiryHooks(accountValidity),
    devices,
    tokenCache,
    threepids,
    isCrossSigningKey,
    appservices: appservices.hooks,
    async onDeactivated(userId) {
      await contacts.bindings.unbindAll(userId)
      await profileRooms.leaveAll(userId, memberships)
    },
    options: accountsOptions(config, nodeList),
  })

  const positions = createEphemeralPositions(clock)
  const typing = createTyping(clock, positions)
  const presence = createPresence({
    context,
    positions,
    notifier,
    sendEphemeral: sender.sendEphemeral,
    options: { enabled: config.presence.enabled, federate: config.presence.federation },
  })
  const { sendEphemeral } = sender
  const typingNotices = createTypingNotices({ context, typing, notifier, sendEphemeral })
  const views = createClientViews({ events: context.events, clock, sticky: rooms.sticky })
  appservices.connect({ context, views, positions, typing, presence })
  const push = buildPushers({ ...base, ...rooms, config, transport, mailer, watch: pushWatch, views })
  const receipts = createReceipts({
    context,
    notifier,
    accountData,
    unread: rooms.unread,
    wakeSender,
    onRead: push.pushers.onRead,
  })
  const replication = buildReplication({
    ...{ config, context, transport, intake, outside: rooms.outside, arrivals, sender, e2ee, toDevice },
    ...{ receipts, typingNotices, presence },
  })
  const { pushRules } = rooms
  const ruleEditor = createRuleEditor({ store, accountData, pushRules, notifier })
  const settings = createSettingsCarrier({ context, accountData, pushRules, ruleEditor, notifier, logger })
  const reading = buildReading({ context, views, replication })
  const syncGate = createSemaphore({ permits: config.limits.concurrent_syncs })
  const reports = createReports({
    ...base,
    answerWithinMs: config.moderation.answer_within,
    joinedRooms: (userId) => memberships.joinedRooms(userId),
    visibleEvent: (requester, roomId, eventId) => services.history.event(requester, roomId, eventId),
  })
  const sending = tellingWithdrawals(createSending(context, aliases), (token) => tellWithdrawn(token))
  const { identity, homeOf, tellWithdrawn, ...contacts } = buildIdentity({
    ...base,
    ...{ config, transport, signer, nodeList, invites, threepids },
    movedTo: (userId) => services.accountMoves.movedTo(userId),
  })
  const addressInvites = createAddressInvites({ context, identity, memberships, sending, homeOf })
  const { check: checkAlias } = appservices.aliasRules
  const roomCreation = createRoomCreation({
    context,
    memberships,
    addressInvites,
    memberProfile,
    checkAlias,
  })
  const serverNotices = createServerNotices(
    { ...base, context, roomCreation, memberships, sending, accountData },
    noticesOptions(config),
  )
  const retention = kept.build(context, media)
  const services: Services = {
    audit,
    accountValidity,
    policyLists,
    ...auditReaders,
    nodeInfo,
    media,
    previews,
    scanning,
    retention,
    serverInfo,
    devices,
    threepids,
    openId: createOpenId(base),
    reports,
    accounts,
    appservices,
    stickyEvents: rooms.sticky,
    ...buildAdministration({
      ...base,
      ...{ config, media, retention },
      ...auditReaders,
      ...{ accountValidity, accounts, profile, threepids, reports, serverNotices },
      bindings: contacts.bindings,
      ...{ context, views, aliases, memberships, sending, roomCreation, tokenCache },
      rotateKey: auditedRotation(ownKeys, audit),
      roomHealth: replication.roomHealth,
      onContact: (serverName) => sender.onContact(serverName),
      isBridged: (userId) => appservices.registry.all.some((one) => one.ownsUser(userId)),
    }),
    profile,
    accountData,
    filters,
    toDevice,
    e2ee,
    sending,
    ...buildProposals({ ...base, config, context, sending, memberships, devices, e2ee, toDevice }),
    roomCreation,
    serverNotices,
    nodeList,
    userStates: buildUserStates({ ...base, nodeList, transport, redList }),
    ...buildMoves({
      ...{ ...base, config, context, transport, nodeList, signer: eventSigner, memberProfile, e2ee },
      ...{ memberships, sending, profile, accountData, pushRules, tokenCache },
    }),
    memberships,
    addressInvites,
    ...contacts,
    guests,
    aliases,
    pushRules: rooms.pushRules,
    ruleEditor,
    pushers: push.pushers,
    notifications: push.notifications,
    receipts,
    typingNotices,
    presence,
    ...buildDirectory({ config, context, transport, nodeList, redList, acts: appservices.acts }),
    spaces: createSpaces({ context, client: transport.client, aliases }),
    ...reading,
    ...buildSyncing({
      ...{ context, views, aggregations: reading.relations.aggregations, history: reading.history },
      ...{ config, notifier, typing, presence, e2ee, toDevice, lost, nodeMetrics },
      pushRules: rooms.pushRules,
      gate: syncGate,
    }),
    inbound: replication.inbound,
    ...buildServing({
      ...rooms,
      ...appservices,
      ...{ transport, intake, memberships, checkInvitable, nodeList, invites },
    }),
  }
  return {
    services,
    rooms,
    transport,
    sender,
    drain: replication.drain,
    repairs: replication.repairs,
    completion: replication.completion,
    notifier,
    mailer,
    mediaParts,
    push,
    appservices,
  }
}
