import type { Route } from '../route.js'
import { backfillRoom } from './backfill-room.js'
import { bulkPerspectivesKeyQuery } from './bulk-perspectives-key-query.js'
import { getEvent } from './get-event.js'
import { getEventByTimestamp } from './get-event-by-timestamp.js'
import { getEventAuth } from './get-event-auth.js'
import { getMissingPreviousEvents } from './get-missing-previous-events.js'
import { getPublicRooms } from './get-public-rooms.js'
import { getRoomState } from './get-room-state.js'
import { getRoomStateIds } from './get-room-state-ids.js'
import { getServerKey } from './get-server-key.js'
import { getSpaceHierarchy } from './get-space-hierarchy.js'
import { getVersion } from './get-version.js'
import { makeJoin } from './make-join.js'
import { makeKnock } from './make-knock.js'
import { makeLeave } from './make-leave.js'
import { perspectivesKeyQuery } from './perspectives-key-query.js'
import { exchangeThirdPartyInvite } from './exchange-third-party-invite.js'
import {
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
} from './on-bind-third-party-identifier.js'
import { exchangeOpenIdToken } from './exchange-open-id-token.js'
import { queryInfo } from './query-info.js'
import { queryProfile } from './query-profile.js'
import { queryPublicRooms } from './query-public-rooms.js'
import { queryRoomDirectory } from './query-room-directory.js'
import { searchPeople } from './search-people.js'
import { sendInviteV1 } from './send-invite-v1.js'
import { sendInviteV2 } from './send-invite-v2.js'
import { sendJoinV1 } from './send-join-v1.js'
import { sendJoinV2 } from './send-join-v2.js'
import { sendKnock } from './send-knock.js'
import { sendLeaveV1 } from './send-leave-v1.js'
import { sendLeaveV2 } from './send-leave-v2.js'
import { getInternalInfo } from './identity/get-internal-info.js'
import { isInviteKeyValid } from './identity/is-key-valid.js'
import { lookupForMember } from './identity/lookup-for-member.js'
import { storeInviteForMember } from './identity/store-invite-for-member.js'
import { withdrawInviteForMember } from './identity/withdraw-invite-for-member.js'
import { offerAccountMove } from './ministry/offer-account-move.js'
import { queryUsersInfo } from './ministry/query-users-info.js'
import { readAccountBundle } from './ministry/read-account-bundle.js'
import { reportAccountMove } from './ministry/report-account-move.js'
import { reportPurge } from './report-purge.js'
import { depositAuditHead, getAuditHead } from './audit-heads.js'
import { e2eeFederationRoutes } from './e2ee-routes.js'

/** The API for servers, without transactions and media. SPEC: https://spec.matrix.org/v1.19/server-server-api/ */
export const federationRoutes: readonly Route[] = [
  makeJoin,
  makeLeave,
  makeKnock,
  sendJoinV2,
  sendJoinV1,
  sendLeaveV2,
  sendLeaveV1,
  sendKnock,
  sendInviteV2,
  sendInviteV1,
  getEvent,
  getRoomState,
  getRoomStateIds,
  getEventAuth,
  getEventByTimestamp,
  backfillRoom,
  getMissingPreviousEvents,
  queryRoomDirectory,
  queryProfile,
  queryInfo,
  exchangeOpenIdToken,
  exchangeThirdPartyInvite,
  onBindThirdPartyIdentifier,
  onBindThirdPartyIdentifierByPost,
  getPublicRooms,
  queryPublicRooms,
  getSpaceHierarchy,
  searchPeople,
  getServerKey,
  perspectivesKeyQuery,
  bulkPerspectivesKeyQuery,
  getVersion,
  queryUsersInfo,
  depositAuditHead,
  reportPurge,
  getAuditHead,
  getInternalInfo,
  isInviteKeyValid,
  lookupForMember,
  storeInviteForMember,
  withdrawInviteForMember,
  offerAccountMove,
  readAccountBundle,
  reportAccountMove,
  ...e2eeFederationRoutes,
]
