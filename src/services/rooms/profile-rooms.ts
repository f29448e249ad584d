import type { JsonObject } from '../../core/json/value.js'
import { joinedRoomIds, openRoomIds } from '../../storage/tables/memberships.js'
import type { RoomsContext } from './context.js'
import { addLocalEvent } from './add-local-event.js'
import type { Memberships } from './membership.js'
import { mapKey, stateEvents } from './working-room.js'

/** What a change of an account means in the rooms that its user is in. */
export interface ProfileRooms {
  /** Copies name and picture into the user's member events. A room that refuses keeps the old ones. */
  propagate(userId: string, field: string, profile: () => Promise<JsonObject>): Promise<void>
  /** Leaves all rooms and rejects all invites. */
  leaveAll(userId: string, memberships: Memberships): Promise<void>
}

export function createProfileRooms(context: RoomsContext): ProfileRooms {
  return {
    async propagate(userId, field, profile) {
      if (field !== 'displayname' && field !== 'avatar_url') return
      const rooms = await context.store.read('profile.rooms', () => joinedRoomIds(userId))
      for (const roomId of rooms) {
        try {
          await context.writer.write(roomId, async (room) => {
            const key = { type: 'm.room.member', stateKey: userId }
            const current = (await stateEvents(room, [key], context.local.readers)).get(mapKey(key))
            if (current?.event.content['membership'] !== 'join') return
            const {
              displayname: _name,
              avatar_url: _avatar,
              join_authorised_via_users_server: _via,
              ...rest
            } = current.event.content
            const content = { ...rest, ...(await profile()) }
            await addLocalEvent(room, { ...key, sender: userId, content }, context.local)
          })
        } catch (error) {
          context.logger.info({ err: error, roomId, userId }, 'a room refused a new profile')
        }
      }
    },

    async leaveAll(userId, memberships) {
      const rooms = await context.store.read('profile.memberships', () => openRoomIds(userId))
      const requester = {
        userId,
        deviceId: undefined,
        isGuest: false,
        isAdmin: false,
        isSuspended: false,
        appserviceId: undefined,
      }
      for (const roomId of rooms) {
        try {
          await memberships.leave(requester, { roomId, isForGood: true })
        } catch (error) {
          context.logger.warn({ err: error, roomId, userId }, 'a deactivated user could not leave a room')
        }
      }
    },
  }
}
