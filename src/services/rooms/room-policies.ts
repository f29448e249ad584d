/** Whom and what this server has nothing to do with, by lists that its operator trusts. */
export interface RoomPolicies {
  /** Throws M_FORBIDDEN for a user who is on a list, or whose server is. */
  checkUser(userId: string): Promise<void>
  /** Throws M_FORBIDDEN. */
  checkRoom(roomId: string): Promise<void>
  /** By the lists as they were at the last question. */
  bansServer(serverName: string): boolean
  /** Job, and before the first question about a server. */
  refresh(): Promise<void>
}
