import type { JsonObject } from '../../core/json/value.js'
import type { RoomRemoval } from '../administration/room-removal.js'
import type { RoomAdministration } from '../administration/rooms.js'
import type { Aliases } from '../rooms/aliases.js'
import { checkRoomId } from '../rooms/blocked-rooms.js'
import { argument, withArgument, type Act } from './act.js'

export interface RoomActsDeps {
  readonly rooms: Pick<RoomAdministration, 'details' | 'state'>
  readonly roomRemoval: Pick<RoomRemoval, 'start'>
  readonly aliases: Pick<Aliases, 'resolveLocal'>
}

/** State events that one answer has. */
const MAX_STATE = 1_000

/** What there is to know of a room, and its end. Rooms are named by id, or by an alias of this server. */
export function roomActs({ rooms, roomRemoval, aliases }: RoomActsDeps) {
  async function idOf(room: string): Promise<string> {
    const roomId = room.startsWith('#') ? (await aliases.resolveLocal(room)).room_id : room
    checkRoomId(roomId)
    return roomId
  }

  const reading = (
    what: string,
    read: (roomId: string, type: string | undefined) => Promise<JsonObject>,
  ): Act => ({
    async plan(_by, given) {
      const roomId = await idOf(argument(given, 'room'))
      return { arguments: withArgument(given, 'room', roomId), will: `Shows ${what} of ${roomId}.` }
    },
    async run(_by, planned) {
      const roomId = argument(planned, 'room')
      const details = await read(roomId, planned.get('type'))
      return { words: `This is ${what} of ${roomId}.`, details }
    },
  })

  const removeRoom: Act = {
    async plan(_by, given) {
      const roomId = await idOf(argument(given, 'room'))
      const { name, joined_local_members: local, joined_members: all } = await rooms.details(roomId)
      const called = typeof name === 'string' ? ` “${name}”` : ''
      return {
        arguments: withArgument(given, 'room', roomId),
        will:
          `The room ${roomId}${called} is closed for this server: ${Number(local)} of its ${Number(all)} members leave it, ` +
          'its aliases go, and nobody of this server comes in again.',
      }
    },
    async run(by, planned) {
      const roomId = argument(planned, 'room')
      const id = await roomRemoval.start(by.userId, roomId, { block: true, purge: false })
      return {
        words: `Everybody of this server leaves ${roomId} now.`,
        details: { room_id: roomId, delete_id: id },
      }
    },
  }

  return {
    room_details: reading('what there is to know', (roomId) => rooms.details(roomId)),
    room_state: reading('the state', async (roomId, type) => {
      const events = await rooms.state(roomId, type)
      const shown = events.slice(0, MAX_STATE)
      return {
        room_id: roomId,
        state: shown,
        ...(shown.length < events.length ? { left_out: events.length - shown.length } : {}),
      }
    }),
    remove_room: removeRoom,
  } as const
}
