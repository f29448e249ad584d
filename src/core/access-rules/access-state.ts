import type { RoomEvent } from '../event/types.js'

/** What the rules read of a state event: whole or stripped. */
export type AccessStateEvent = Pick<RoomEvent, 'sender' | 'stateKey' | 'content'> & { readonly id?: string }

/** The state before an event, as far as the access rules look at it. */
export interface AccessState {
  get(type: string, stateKey: string): AccessStateEvent | undefined
  /**
   * Member events, whatever they say, third-party invites, and what ties accounts of one person together (`ACCOUNT_MOVE`): all there are, or more than a
   * direct room can have. They count in direct rooms alone: where `needsPeople` says so.
   */
  readonly members: readonly AccessStateEvent[]
  readonly addressInvites: readonly AccessStateEvent[]
  readonly moves: readonly AccessStateEvent[]
}
