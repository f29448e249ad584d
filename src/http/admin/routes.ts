import type { Route } from '../route.js'
import { adminSetAccountValidity } from './account-validity.js'
import { adminDeactivateUser } from './deactivate-user.js'
import { adminDeleteStatus, adminRoomDeleteStatus } from './delete-status.js'
import {
  adminDestinationRooms,
  adminGetDestination,
  adminListDestinations,
  adminResetDestination,
} from './destinations.js'
import { adminDeleteEventReport, adminGetEventReport, adminListEventReports } from './event-reports.js'
import { adminDeleteUserReport, adminGetUserReport, adminListUserReports } from './user-reports.js'
import { adminMediaStatistics } from './media-statistics.js'
import { adminDeleteMedium, adminGetMedium } from './medium.js'
import { adminDeleteRateLimit, adminGetRateLimit, adminSetRateLimit } from './override-rate-limit.js'
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
import { adminLogInAs } from './log-in-as.js'
import {
  adminDeleteRegistrationToken,
  adminGetRegistrationToken,
  adminPutRegistrationToken,
} from './registration-token.js'
import { adminCreateRegistrationToken, adminListRegistrationTokens } from './registration-tokens.js'
import { adminResetPassword } from './reset-password.js'
import { putServerNotice, sendServerNotice } from './send-server-notice.js'
import { adminServerVersion } from './server-version.js'
import { adminSuspendUser } from './suspend-user.js'
import { adminUserAccountData } from './user-account-data.js'
import { adminGetUserAdmin, adminPutUserAdmin } from './user-admin.js'
import { adminUserByThreepid } from './user-by-threepid.js'
import { adminDeleteDevice, adminGetDevice, adminPutDevice } from './user-device.js'
import { adminCreateDevice, adminDeleteDevices, adminListDevices } from './user-devices.js'
import { adminUserPushers } from './user-pushers.js'
import { adminUserJoinedRooms, adminUserMemberships } from './user-rooms.js'
import { adminGetUser, adminPutUser } from './user.js'
import { adminUsernameAvailable } from './username-available.js'
import { adminWhois } from './whois.js'

/** `/_synapse/admin`, as the tools of administrators speak it. What is not here does not exist: M_UNRECOGNIZED. */
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
  adminPurgeMediaCache,
  adminMediaStatistics,
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
]
