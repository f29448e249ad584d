import { adminCommandRoutes } from '../admin-commands/command-route.js'
import type { Route } from '../route.js'
import { adminSetAccountValidity } from './account-validity.js'
import { adminDatabaseStatistics } from './database-statistics.js'
import { adminDeactivateUser } from './deactivate-user.js'
import { adminDeleteLocalMedia } from './delete-local-media.js'
import { adminDeleteStatus, adminRoomDeleteStatus } from './delete-status.js'
import {
  adminDestinationRooms,
  adminGetDestination,
  adminListDestinations,
  adminResetDestination,
} from './destinations.js'
import { adminGetFeatures, adminPutFeatures } from './experimental-features.js'
import { adminDeleteEventReport, adminGetEventReport, adminListEventReports } from './event-reports.js'
import { adminDeleteUserReport, adminGetUserReport, adminListUserReports } from './user-reports.js'
import { adminMediaStatistics } from './media-statistics.js'
import { adminDeleteMedium, adminGetMedium } from './medium.js'
import { adminDeleteRateLimit, adminGetRateLimit, adminSetRateLimit } from './override-rate-limit.js'
import { adminPurgeHistory, adminPurgeHistoryStatus } from './purge-history.js'
import { adminPurgeMediaCache } from './purge-media-cache.js'
import {
  adminProtectMedium,
  adminQuarantineMedium,
  adminQuarantineUserMedia,
  adminUnprotectMedium,
  adminUnquarantineMedium,
} from './quarantine-media.js'
import { adminQuarantineRoomMedia, adminRoomMedia } from './room-media.js'
import { adminDeleteUserMedia, adminUserMedia } from './user-media.js'
import { adminForwardExtremities } from './forward-extremities.js'
import { adminJoinRoom } from './join-room.js'
import { adminListRooms } from './list-rooms.js'
import { adminMakeRoomAdmin } from './make-room-admin.js'
import { adminGetRoomBlock, adminPutRoomBlock } from './room-block.js'
import { adminRoomMembers } from './room-members.js'
import { adminEventByTimestamp, adminEventContext, adminRoomMessages } from './room-messages.js'
import { adminRoomState } from './room-state.js'
import { adminDeleteRoom, adminDeleteRoomV2, adminGetRoom } from './room.js'
import { adminListUsers, adminListUsersV3 } from './list-users.js'
import { legalHoldRoutes } from './legal-holds.js'
import { adminLogInAs } from './log-in-as.js'
import {
  adminDeleteRegistrationToken,
  adminGetRegistrationToken,
  adminPutRegistrationToken,
} from './registration-token.js'
import { adminCreateRegistrationToken, adminListRegistrationTokens } from './registration-tokens.js'
import { adminRedactStatus, adminRedactUser } from './redact-user.js'
import { adminResetPassword } from './reset-password.js'
import { adminScheduledTasks } from './scheduled-tasks.js'
import { putServerNotice, sendServerNotice } from './send-server-notice.js'
import { adminServerVersion } from './server-version.js'
import { adminSuspendUser } from './suspend-user.js'
import { adminUserAccountData } from './user-account-data.js'
import { adminGetUserAdmin, adminPutUserAdmin } from './user-admin.js'
import { adminJoinedRoomCount, adminSentInvites } from './user-counts.js'
import { adminUserByThreepid } from './user-by-threepid.js'
import { adminDeleteDevice, adminGetDevice, adminPutDevice } from './user-device.js'
import { adminCreateDevice, adminDeleteDevices, adminListDevices } from './user-devices.js'
import { adminUserPushers } from './user-pushers.js'
import { adminUserJoinedRooms, adminUserMemberships } from './user-rooms.js'
import { adminGetUser, adminPutUser } from './user.js'
import { adminUsernameAvailable } from './username-available.js'
import { adminWhois } from './whois.js'

/** `/_synapse/admin`, as the tools of administrators speak it, and what they have no words for under `/_chancery/admin`. What is not here does not exist: M_UNRECOGNIZED. */
export const adminRoutes: readonly Route[] = [
  adminServerVersion,
  adminSetAccountValidity,
  adminListUsers,
  adminListUsersV3,
  adminGetUser,
  adminPutUser,
  adminGetUserAdmin,
  adminPutUserAdmin,
  adminDeactivateUser,
  adminSuspendUser,
  adminResetPassword,
  adminLogInAs,
  adminWhois,
  adminUsernameAvailable,
  adminUserByThreepid,
  adminUserPushers,
  adminUserJoinedRooms,
  adminUserMemberships,
  adminUserAccountData,
  adminSentInvites,
  adminJoinedRoomCount,
  adminGetFeatures,
  adminPutFeatures,
  adminRedactUser,
  adminRedactStatus,
  adminGetRateLimit,
  adminSetRateLimit,
  adminDeleteRateLimit,
  adminListDevices,
  adminCreateDevice,
  adminDeleteDevices,
  adminGetDevice,
  adminPutDevice,
  adminDeleteDevice,
  adminListRegistrationTokens,
  adminCreateRegistrationToken,
  adminGetRegistrationToken,
  adminPutRegistrationToken,
  adminDeleteRegistrationToken,
  adminListRooms,
  adminGetRoom,
  adminDeleteRoom,
  adminDeleteRoomV2,
  adminRoomDeleteStatus,
  adminDeleteStatus,
  adminPurgeHistory,
  adminPurgeHistoryStatus,
  adminScheduledTasks,
  adminRoomMembers,
  adminRoomState,
  adminRoomMessages,
  adminEventContext,
  adminEventByTimestamp,
  adminGetRoomBlock,
  adminPutRoomBlock,
  adminForwardExtremities,
  adminMakeRoomAdmin,
  adminJoinRoom,
  adminUserMedia,
  adminDeleteUserMedia,
  adminGetMedium,
  adminDeleteMedium,
  adminQuarantineMedium,
  adminUnquarantineMedium,
  adminProtectMedium,
  adminUnprotectMedium,
  adminQuarantineUserMedia,
  adminRoomMedia,
  adminQuarantineRoomMedia,
  adminDeleteLocalMedia,
  adminPurgeMediaCache,
  adminMediaStatistics,
  adminDatabaseStatistics,
  adminListEventReports,
  adminGetEventReport,
  adminDeleteEventReport,
  adminListUserReports,
  adminGetUserReport,
  adminDeleteUserReport,
  adminListDestinations,
  adminGetDestination,
  adminDestinationRooms,
  adminResetDestination,
  sendServerNotice,
  putServerNotice,
  ...adminCommandRoutes,
  ...legalHoldRoutes,
]
