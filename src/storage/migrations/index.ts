import { positions } from './0001-positions.js'
import { rooms } from './0002-rooms.js'
import { accounts } from './0003-accounts.js'
import { media } from './0004-media.js'
import { serverKeys } from './0005-server-keys.js'
import { e2ee } from './0006-e2ee.js'
import { outbox } from './0007-outbox.js'
import { receipts } from './0008-receipts.js'
import { staging } from './0009-staging.js'
import { stateLookups } from './0010-state-lookups.js'
import { contacts } from './0011-contacts.js'
import { relations } from './0012-relations.js'
import { unreadTallies } from './0013-unread-tallies.js'
import { pushers } from './0014-pushers.js'
import { search } from './0015-search.js'
import { urlPreviews } from './0016-url-previews.js'
import { transactionKeys } from './0017-transaction-keys.js'
import { lostPositions } from './0018-lost-positions.js'
import { slidingSync } from './0019-sliding-sync.js'
import { appservices } from './0020-appservices.js'
import { threepidBindings } from './0021-threepid-bindings.js'
import { mailUnsubscribe } from './0022-mail-unsubscribe.js'
import { roomUpgrades } from './0023-room-upgrades.js'
import { delayedEvents } from './0024-delayed-events.js'
import { dehydratedDevices } from './0025-dehydrated-devices.js'
import { nodeList } from './0026-node-list.js'
import { administration } from './0027-administration.js'
import { threadSubscriptions } from './0028-thread-subscriptions.js'
import { roomRepairs } from './0029-room-repairs.js'
import { auditLog } from './0030-audit-log.js'
import { scanVerdicts } from './0031-scan-verdicts.js'
import { auditDeposits } from './0032-audit-deposits.js'
import { spaceWalks } from './0033-space-walks.js'
import { stickyEvents } from './0034-sticky-events.js'
import { addressInvites } from './0035-address-invites.js'
import { accessVerdicts } from './0036-access-verdicts.js'
import { threadFollowers } from './0037-thread-followers.js'
import { retention } from './0038-retention.js'
import { accountValidity } from './0039-account-validity.js'
import { reportCases } from './0040-report-cases.js'
import { adminTasks } from './0041-admin-tasks.js'
import { profileChanges } from './0042-profile-changes.js'
import { searchVectors } from './0043-search-vectors.js'
import { secondFactors } from './0044-second-factors.js'
import { adminBot } from './0045-admin-bot.js'
import { roomArrivals } from './0046-room-arrivals.js'
import { accountMoves } from './0047-account-moves.js'
import { inviteWithdrawals } from './0048-invite-withdrawals.js'
import { auditCuts } from './0049-audit-cuts.js'
import { partialRooms } from './0050-partial-rooms.js'
import type { Migration } from '../migrate.js'

/** All steps of the schema, by id. One line each. */
// prettier-ignore
export const migrations: readonly Migration[] = [
  positions,
  rooms,
  accounts,
  media,
  serverKeys,
  e2ee,
  outbox,
  receipts,
  staging,
  stateLookups,
  contacts,
  relations,
  unreadTallies,
  pushers,
  search,
  urlPreviews,
  transactionKeys,
  lostPositions,
  slidingSync,
  appservices,
  threepidBindings,
  mailUnsubscribe,
  roomUpgrades,
  delayedEvents,
  dehydratedDevices,
  nodeList,
  administration,
  threadSubscriptions,
  roomRepairs,
  auditLog,
  scanVerdicts,
  auditDeposits,
  spaceWalks,
  stickyEvents,
  addressInvites,
  accessVerdicts,
  threadFollowers,
  retention,
  accountValidity,
  reportCases,
  adminTasks,
  profileChanges,
  searchVectors,
  secondFactors,
  adminBot,
  roomArrivals,
  accountMoves,
  inviteWithdrawals,
  auditCuts,
  partialRooms,
]
