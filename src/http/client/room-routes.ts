import type { Route } from '../route.js'
import { createRoom } from './room/create-room.js'
import { upgradeRoom } from './room/upgrade-room.js'
import { joinRoom } from './room/join-room.js'
import { joinRoomById } from './room/join-room-by-id.js'
import { knockRoom } from './room/knock-room.js'
import { inviteUser } from './room/invite-user.js'
import { kick } from './room/kick.js'
import { ban } from './room/ban.js'
import { unban } from './room/unban.js'
import { leaveRoom } from './room/leave-room.js'
import { forgetRoom } from './room/forget-room.js'
import { sendMessage } from './room/send-message.js'
import { setRoomStateWithKey } from './room/set-room-state-with-key.js'
import { getRoomStateWithKey } from './room/get-room-state-with-key.js'
import { getRoomState } from './room/get-room-state.js'
import { getMembersByRoom } from './room/get-members-by-room.js'
import { getJoinedMembersByRoom } from './room/get-joined-members-by-room.js'
import { getJoinedRooms } from './room/get-joined-rooms.js'
import { getRoomEvents } from './room/get-room-events.js'
import { getEventContext } from './room/get-event-context.js'
import { getOneRoomEvent } from './room/get-one-room-event.js'
import { getRelatingEvents } from './room/get-relating-events.js'
import { getRelatingEventsWithRelType } from './room/get-relating-events-with-rel-type.js'
import { getRelatingEventsWithRelTypeAndEventType } from './room/get-relating-events-with-rel-type-and-event-type.js'
import { getEventByTimestamp } from './room/get-event-by-timestamp.js'
import { getEvents } from './room/get-events.js'
import { getOneEvent } from './room/get-one-event.js'
import { initialSync } from './room/initial-sync.js'
import { roomInitialSync } from './room/room-initial-sync.js'
import { getThreadRoots } from './room/get-thread-roots.js'
import { redactEvent } from './room/redact-event.js'
import { setTyping } from './room/set-typing.js'
import { postReceipt } from './room/post-receipt.js'
import { setReadMarker } from './room/set-read-marker.js'
import { getRoomIdByAlias } from './directory/get-room-id-by-alias.js'
import { setRoomAlias } from './directory/set-room-alias.js'
import { deleteRoomAlias } from './directory/delete-room-alias.js'
import { getLocalAliases } from './directory/get-local-aliases.js'
import { getRoomVisibilityOnDirectory } from './directory/get-room-visibility-on-directory.js'
import { setRoomVisibilityOnDirectory } from './directory/set-room-visibility-on-directory.js'
import { getPublicRooms } from './directory/get-public-rooms.js'
import { queryPublicRooms } from './directory/query-public-rooms.js'
import { searchUserDirectory } from './directory/search-user-directory.js'
import { getPresence } from './presence/get-presence.js'
import { setPresence } from './presence/set-presence.js'
import { getRoomSummary, getRoomSummaryUnstable } from './space/get-room-summary.js'
import { getSpaceHierarchy } from './space/get-space-hierarchy.js'
import { search } from './search/search.js'
import { proposalRoutes } from './proposal-routes.js'
import { pushRuleRoutes } from './push-rule-routes.js'
import { slidingSync } from './sync/sliding-sync.js'
import { sync } from './sync/sync.js'

/** Rooms, what is said in them, and /sync. The busiest come first. */
export const roomRoutes: readonly Route[] = [
  sendMessage,
  sync,
  slidingSync,
  createRoom,
  upgradeRoom,
  joinRoom,
  joinRoomById,
  knockRoom,
  inviteUser,
  kick,
  ban,
  unban,
  leaveRoom,
  forgetRoom,
  setRoomStateWithKey,
  getRoomStateWithKey,
  getRoomState,
  getMembersByRoom,
  getJoinedMembersByRoom,
  getJoinedRooms,
  getRoomEvents,
  getEventContext,
  getOneRoomEvent,
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
  getThreadRoots,
  roomInitialSync,
  initialSync,
  getEvents,
  getOneEvent,
  getEventByTimestamp,
  redactEvent,
  setTyping,
  postReceipt,
  setPresence,
  getPresence,
  setReadMarker,
  getRoomIdByAlias,
  setRoomAlias,
  deleteRoomAlias,
  getLocalAliases,
  getRoomVisibilityOnDirectory,
  setRoomVisibilityOnDirectory,
  getPublicRooms,
  queryPublicRooms,
  searchUserDirectory,
  getSpaceHierarchy,
  getRoomSummary,
  getRoomSummaryUnstable,
  search,
  ...pushRuleRoutes,
  ...proposalRoutes,
]
