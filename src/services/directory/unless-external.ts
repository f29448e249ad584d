import type { PublicRooms } from './public-rooms.js'
import type { UserDirectory } from './user-directory.js'

/** Finds nobody while the accounts of this server are external: they know whom they were invited by. */
export const peopleUnlessExternal = (directory: UserDirectory, isExternal: () => boolean): UserDirectory => ({
  search: (...asked) =>
    isExternal() ? Promise.resolve({ results: [], limited: false }) : directory.search(...asked),
})

/** Lists no rooms while the accounts of this server are external: they enter those to which they were invited. */
export const roomsUnlessExternal = (rooms: PublicRooms, isExternal: () => boolean): PublicRooms => ({
  ...rooms,
  list: (query) =>
    isExternal() ? Promise.resolve({ chunk: [], total_room_count_estimate: 0 }) : rooms.list(query),
})
