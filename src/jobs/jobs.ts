import type { Services } from '../services/services.js'
import type { Job } from './schedule.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** How often, in milliseconds. */
export interface JobOptions {
  readonly nodeListMs: number
  readonly auditDepositMs: number
  readonly retentionMs: number
}

/** All periodic work of a node. */
export function periodicJobs(services: Services, options: JobOptions): readonly Job[] {
  const { accounts, e2ee, media, nodeList, toDevice, typingNotices } = services
  const ofNodeList: readonly Job[] =
    nodeList === undefined
      ? []
      : [
          {
            name: 'nodeList.refresh',
            every: options.nodeListMs,
            atStart: true,
            run: () => nodeList.refresh(),
          },
          { name: 'nodeList.watchAge', every: MINUTE, run: () => nodeList.watchAge() },
        ]
  const { memberIdentity } = services
  const ofInvites: readonly Job[] =
    memberIdentity === undefined
      ? []
      : [
          {
            name: 'addressInvites.redeem',
            every: 2 * SECOND,
            atStart: true,
            run: () => memberIdentity.invites.redeemDue(),
          },
          {
            name: 'addressInvites.withdraw',
            every: 5 * SECOND,
            atStart: true,
            run: () => memberIdentity.tellDue(),
          },
          { name: 'addressInvites.prune', every: HOUR, run: () => memberIdentity.invites.prune() },
        ]
  const ofRetention: readonly Job[] = services.retention.isOn
    ? [
        {
          name: 'retention.run',
          every: options.retentionMs,
          atStart: true,
          run: () => services.retention.run(),
        },
        { name: 'retention.tell', every: MINUTE, run: () => services.retention.notices.tell() },
      ]
    : []
  return [
    ...ofNodeList,
    ...ofInvites,
    ...ofRetention,
    { name: 'relations.fill', every: SECOND, atStart: true, run: () => services.relations.fill.step() },
    { name: 'search.follow', every: SECOND, atStart: true, run: () => services.search.indexer.follow() },
    { name: 'search.fill', every: SECOND, atStart: true, run: () => services.search.indexer.fill() },
    { name: 'presence.tick', every: SECOND, run: () => services.presence.tick() },
    { name: 'typing.expire', every: SECOND, run: () => typingNotices.expire() },
    { name: 'e2ee.resync', every: 5 * SECOND, run: () => e2ee.resyncDue() },
    { name: 'audit.flush', every: MINUTE, run: () => services.audit.flush() },
    {
      name: 'audit.deposit',
      every: options.auditDepositMs,
      run: async () => void (await services.auditDeposits.made.deposit()),
    },
    { name: 'audit.cut', every: 24 * HOUR, atStart: true, run: () => services.auditCuts.run() },
    { name: 'audit.feed', every: SECOND, run: () => services.auditFeed?.step() ?? Promise.resolve() },
    {
      name: 'accountValidity.run',
      every: MINUTE,
      atStart: true,
      run: () => services.accountValidity?.run() ?? Promise.resolve(),
    },
    {
      name: 'administration.tasks',
      every: MINUTE,
      atStart: true,
      run: () => services.administration.tasks.resume(),
    },
    { name: 'administration.prune', every: HOUR, run: () => services.administration.tasks.prune() },
    { name: 'accountMoves.run', every: 2 * SECOND, atStart: true, run: () => services.accountMoves.run() },
    { name: 'moderation.overdue', every: MINUTE, run: () => services.moderationDesk.watch() },
    {
      name: 'policyLists.refresh',
      every: 5 * SECOND,
      atStart: true,
      run: () => services.policyLists.refresh(),
    },
    { name: 'accounts.lastSeen', every: MINUTE, run: () => accounts.lastSeen.flush() },
    {
      name: 'accounts.deactivations',
      every: HOUR,
      atStart: true,
      run: () => accounts.credentials.resumeDeactivations(),
    },
    { name: 'upgrades.resume', every: HOUR, atStart: true, run: () => services.roomUpgrades.resume() },
    { name: 'openid.prune', every: HOUR, run: () => services.openId.prune() },
    { name: 'guests.checkAll', every: HOUR, atStart: true, run: () => services.guests.checkAll() },
    { name: 'threepids.prune', every: HOUR, run: () => services.threepids.prune() },
    { name: 'accounts.prune', every: HOUR, run: () => accounts.sessions.prune() },
    { name: 'e2ee.cleanUp', every: HOUR, run: () => e2ee.cleanUp() },
    { name: 'slidingSync.prune', every: HOUR, run: () => services.slidingSync.prune() },
    { name: 'toDevice.cleanUp', every: HOUR, run: () => toDevice.cleanUp() },
    { name: 'media.announced', every: HOUR, run: () => media.expireAnnounced() },
    { name: 'media.remote', every: HOUR, run: () => media.evictRemote() },
    { name: 'scanning.prune', every: 24 * HOUR, run: () => services.scanning.prune() },
    { name: 'spaces.prune', every: 10 * MINUTE, run: () => services.spaces.hierarchy.prune() },
    { name: 'previews.prune', every: HOUR, run: () => services.previews.prune() },
    { name: 'media.sweep', every: 24 * HOUR, atStart: true, run: () => media.sweep() },
    { name: 'appservices.bound', every: 10 * MINUTE, run: () => services.appservices.boundQueues() },
    { name: 'stickyEvents.prune', every: 10 * MINUTE, run: () => services.stickyEvents.prune() },
    { name: 'delayedEvents.prune', every: HOUR, run: () => services.delayedEvents.prune() },
    { name: 'inbound.cleanUp', every: HOUR, run: () => services.inbound.cleanUp() },
    { name: 'sending.forgetTransactions', every: HOUR, run: () => services.sending.forgetOldTransactions() },
  ]
}
