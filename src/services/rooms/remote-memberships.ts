import type { RoomEvent } from '../../core/event/types.js'
import type { JsonObject } from '../../core/json/value.js'

/** Membership changes that need another server: rooms that this one is not in, and users of others. */
export interface RemoteMemberships {
  /**
   * Joins through one of `via`, tried in turn. Resolves once the room's state is here and the join is on disk.
   * Errors: M_FORBIDDEN, M_NOT_FOUND, M_INCOMPATIBLE_ROOM_VERSION, M_UNKNOWN when no server helped.
   */
  join(userId: string, roomId: string, via: readonly string[], content: JsonObject): Promise<void>
  /** Rejects an invite to, or leaves, a room that this server is not in. Gives the event. */
  leave(userId: string, roomId: string, via: readonly string[], content: JsonObject): Promise<RoomEvent>
  knock(userId: string, roomId: string, via: readonly string[], content: JsonObject): Promise<void>
  /** Has the invited user's server sign an invite of ours. */
  invite(event: RoomEvent, invitedServer: string): Promise<RoomEvent>
  /** What an alias of another server stands for. Errors: M_NOT_FOUND. */
  resolveAlias(alias: string): Promise<{ readonly room_id: string; readonly servers: readonly string[] }>
}
