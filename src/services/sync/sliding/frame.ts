import type { Viewer } from '../../timeline/client-view.js'
import type { ConnectionState } from './connection-state.js'
import type { RequiredState } from './required-state.js'
import type { SlidingRequest } from './request.js'
import type { ListedRoom } from './user-rooms.js'

/** One answer's fixed points. */
export interface SlidingFrame {
  readonly viewer: Viewer
  readonly request: SlidingRequest
  /** What the client was told, as of `from`. */
  readonly state: ConnectionState
  /** 0: nothing yet. */
  readonly from: number
  readonly upTo: number
  readonly typingFrom: number
}

/** By what a client looks at rooms, and what that together asks of them. Rooms that are looked at in the same way share it. */
export interface Rule {
  readonly lists: readonly string[]
  readonly isSubscribed: boolean
  readonly timelineLimit: number
  readonly required: RequiredState
  /** The number by which the connection knows the required state; −1 for one that is new to it. */
  readonly config: number
}

/** A room that the client looks at. */
export interface WantedRoom extends Rule {
  readonly room: ListedRoom
}
