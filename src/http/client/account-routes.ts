import type { Route } from '../route.js'
import { getRenewAccount, postRenewAccount } from './account-validity/renew-account.js'
import { moderationDeskRoutes } from './moderation-desk/routes.js'
import { sendRenewalMail } from './account-validity/send-renewal-mail.js'
import { deleteAccountDataPerRoom } from './account-data/delete-account-data-per-room.js'
import { deleteAccountData } from './account-data/delete-account-data.js'
import { deleteRoomTag } from './account-data/delete-room-tag.js'
import { getAccountDataPerRoom } from './account-data/get-account-data-per-room.js'
import { getAccountData } from './account-data/get-account-data.js'
import { getRoomTags } from './account-data/get-room-tags.js'
import { setAccountDataPerRoom } from './account-data/set-account-data-per-room.js'
import { setAccountData } from './account-data/set-account-data.js'
import { setRoomTag } from './account-data/set-room-tag.js'
import { getAuthFallback, postAuthFallback } from './account/auth-fallback.js'
import { add3Pid } from './account/add-3pid.js'
import { bind3Pid } from './account/bind-3pid.js'
import { changePassword } from './account/change-password.js'
import { checkUsernameAvailability } from './account/check-username-availability.js'
import { getConfirmEmail, postConfirmEmail } from './account/confirm-email.js'
import { deactivateAccount } from './account/deactivate-account.js'
import { delete3pidFromAccount } from './account/delete-3pid-from-account.js'
import { getAccount3Pids } from './account/get-account-3pids.js'
import { getSharedSecretNonce } from './account/get-shared-secret-nonce.js'
import {
  requestTokenTo3PIDMSISDN,
  requestTokenToRegisterMSISDN,
  requestTokenToResetPasswordMSISDN,
} from './account/msisdn-request.js'
import { post3Pids } from './account/post-3pids.js'
import { registerWithSharedSecret } from './account/register-with-shared-secret.js'
import { register } from './account/register.js'
import { registrationTokenValidity } from './account/registration-token-validity.js'
import { requestTokenTo3PIDEmail } from './account/request-token-to-3pid-email.js'
import { requestTokenToRegisterEmail } from './account/request-token-to-register-email.js'
import { requestTokenToResetPasswordEmail } from './account/request-token-to-reset-password-email.js'
import { unbind3pidFromAccount } from './account/unbind-3pid-from-account.js'
import { getUnsubscribe, postUnsubscribe } from './account/unsubscribe.js'
import { pingAppservice } from './appservice/ping-appservice.js'
import { updateAppserviceRoomDirectoryVisibility } from './appservice/update-appservice-room-directory-visibility.js'
import { deleteDevice } from './device/delete-device.js'
import { deleteDevices } from './device/delete-devices.js'
import { getDevice } from './device/get-device.js'
import { getDevices } from './device/get-devices.js'
import { updateDevice } from './device/update-device.js'
import { getMutualRooms } from './directory/get-mutual-rooms.js'
import { defineFilter } from './filter/define-filter.js'
import { getFilter } from './filter/get-filter.js'
import { getAdminLockUser } from './moderation/get-admin-lock-user.js'
import { getAdminSuspendUser } from './moderation/get-admin-suspend-user.js'
import { getWhoIs } from './moderation/get-who-is.js'
import { setAdminLockUser } from './moderation/set-admin-lock-user.js'
import { setAdminSuspendUser } from './moderation/set-admin-suspend-user.js'
import { deleteProfileField } from './profile/delete-profile-field.js'
import { getProfileField } from './profile/get-profile-field.js'
import { getUserProfile } from './profile/get-user-profile.js'
import { setProfileField } from './profile/set-profile-field.js'
import { reportEvent } from './reports/report-event.js'
import { reportRoom } from './reports/report-room.js'
import { reportUser } from './reports/report-user.js'
import { getCapabilities } from './server/get-capabilities.js'
import { getProtocols } from './server/get-protocols.js'
import { getRtcTransports } from './server/get-rtc-transports.js'
import { getTurnServer } from './server/get-turn-server.js'
import { getVersions } from './server/get-versions.js'
import { generateLoginToken } from './session/generate-login-token.js'
import { getLoginFlows } from './session/get-login-flows.js'
import { getTokenOwner } from './session/get-token-owner.js'
import { getLoginPage } from './session/login-page.js'
import { login } from './session/login.js'
import { logoutAll } from './session/logout-all.js'
import { logout } from './session/logout.js'
import { getAuthMetadata, redirectToIdp, redirectToSso } from './session/redirect-to-sso.js'
import { refresh } from './session/refresh.js'
import { requestOpenIdToken } from './session/request-open-id-token.js'
import { thirdPartyLookups } from './thirdparty/lookups.js'
import { getPasswordPolicy } from './account/get-password-policy.js'
import {
  getIdentityAccount,
  getIdentityTerms,
  getIdentityVersions,
  logOutOfIdentity,
  pingIdentity,
  registerIdentityAccount,
} from './identity/account.js'
import { getHashDetails, lookupUsers } from './identity/lookup.js'
import { storeInvite } from './identity/store-invite.js'
import { consentToAccountMove, declineAccountMove, getAccountMove } from './ministry/account-move.js'
import { getEmailInfo } from './ministry/get-email-info.js'
import { getFederationWhitelist } from './ministry/get-federation-whitelist.js'
import { getUsersInfo } from './ministry/get-users-info.js'

/** Accounts, sessions, devices, profiles, account data, filters, and what the server says of itself. */
export const accountRoutes: readonly Route[] = [
  generateLoginToken,
  getLoginFlows,
  getTokenOwner,
  login,
  logoutAll,
  logout,
  refresh,
  getLoginPage,
  redirectToSso,
  redirectToIdp,
  getAuthMetadata,
  requestOpenIdToken,
  reportRoom,
  reportEvent,
  reportUser,
  getMutualRooms,
  getAuthFallback,
  postAuthFallback,
  changePassword,
  checkUsernameAvailability,
  deactivateAccount,
  getAccount3Pids,
  post3Pids,
  add3Pid,
  bind3Pid,
  unbind3pidFromAccount,
  delete3pidFromAccount,
  requestTokenTo3PIDEmail,
  requestTokenTo3PIDMSISDN,
  requestTokenToRegisterEmail,
  requestTokenToRegisterMSISDN,
  requestTokenToResetPasswordEmail,
  requestTokenToResetPasswordMSISDN,
  getConfirmEmail,
  postConfirmEmail,
  getUnsubscribe,
  postUnsubscribe,
  pingAppservice,
  updateAppserviceRoomDirectoryVisibility,
  ...thirdPartyLookups,
  getSharedSecretNonce,
  registerWithSharedSecret,
  register,
  registrationTokenValidity,
  deleteDevice,
  deleteDevices,
  getDevice,
  getDevices,
  updateDevice,
  deleteProfileField,
  getProfileField,
  getUserProfile,
  setProfileField,
  deleteRoomTag,
  deleteAccountData,
  deleteAccountDataPerRoom,
  getAccountDataPerRoom,
  getAccountData,
  getRoomTags,
  setAccountDataPerRoom,
  setAccountData,
  setRoomTag,
  defineFilter,
  getFilter,
  getAdminLockUser,
  getAdminSuspendUser,
  getWhoIs,
  setAdminLockUser,
  setAdminSuspendUser,
  getCapabilities,
  getProtocols,
  getRtcTransports,
  getTurnServer,
  getVersions,
  getPasswordPolicy,
  getEmailInfo,
  getFederationWhitelist,
  getUsersInfo,
  getAccountMove,
  consentToAccountMove,
  declineAccountMove,
  getIdentityAccount,
  getIdentityTerms,
  getIdentityVersions,
  logOutOfIdentity,
  pingIdentity,
  registerIdentityAccount,
  getHashDetails,
  lookupUsers,
  storeInvite,
  sendRenewalMail,
  ...moderationDeskRoutes,
  getRenewAccount,
  postRenewAccount,
]
