import type { RoomVersionRules } from '../../core/room-version/rules.js'

/** What sending events of some types takes in a room that is made here. */
export const newRoomEventLevels = (rules: RoomVersionRules): Readonly<Record<string, number>> => ({
  'm.room.name': 50,
  'm.room.avatar': 50,
  'm.room.canonical_alias': 50,
  'm.room.power_levels': 100,
  'm.room.history_visibility': 100,
  'm.room.encryption': 100,
  'm.room.server_acl': 100,
  // Version 12 puts an upgrade above every ordinary administrator.
  'm.room.tombstone': rules.creator === 'privileged' ? 150 : 100,
})
