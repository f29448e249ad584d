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

/** A room that the client looks at, by which rules, and what they together ask of it. */
export interface WantedRoom {
  readonly room: ListedRoom
  readonly lists: readonly string[]
  readonly isSubscribed: boolean
  readonly timelineLimit: number
  readonly required: RequiredState
}
