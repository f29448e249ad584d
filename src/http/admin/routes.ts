import type { Route } from '../route.js'
import { adminDeactivateUser } from './deactivate-user.js'
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
  sendServerNotice,
  putServerNotice,
]
