import { invalidParam } from '../../core/errors.js'
import { isRoomAlias } from '../../core/ids/room-alias.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { Aliases } from './aliases.js'
import type { RoomsContext } from './context.js'

/**
 * The room that an id or an alias means, and the servers through which it is come to: those that the client names, those of the alias; else those
 * that list the room, and the one after which an id is called. Throws M_INVALID_PARAM, M_NOT_FOUND.
 */
export const roomTarget =
  (deps: {
    readonly context: Pick<RoomsContext, 'serverName'>
    readonly aliases: Pick<Aliases, 'resolve'>
    serversListing?(roomId: string): readonly string[]
  }) =>
  async (room: string, via: readonly string[]): Promise<{ roomId: string; via: string[] }> => {
    const { serverName } = deps.context
    if (!room.startsWith('#')) {
      if (!room.startsWith('!')) throw invalidParam('Neither a room id nor an alias')
      const domain = serverNameOf(room)
      // Who names servers means those; the id's own is a guess for when there is no better.
      if (via.length > 0) return { roomId: room, via: [...via] }
      const listing = deps.serversListing?.(room) ?? []
      return {
        roomId: room,
        via: [...listing, ...(domain === undefined ? [] : [domain])].filter(
          (server) => server !== serverName,
        ),
      }
    }
    if (!isRoomAlias(room)) throw invalidParam('The alias is not well formed')
    const found = await deps.aliases.resolve(room)
    return {
      roomId: found.room_id,
      via: [...via, ...found.servers.filter((server) => server !== serverName)],
    }
  }
