import { parseOpaqueEventId } from './event-id.js'
import { parseRoomAlias } from './room-alias.js'
import { parseOpaqueRoomId } from './room-id.js'
import { parseUserId } from './user-id.js'

/** The server that allocated an identifier; undefined for identifiers without a domain and for what is none. */
export function serverNameOf(id: string): string | undefined {
  switch (id[0]) {
    case '@':
      return parseUserId(id)?.domain
    case '!':
      return parseOpaqueRoomId(id)?.domain
    case '$':
      return parseOpaqueEventId(id)?.domain
    case '#':
      return parseRoomAlias(id)?.domain
    default:
      return undefined
  }
}
