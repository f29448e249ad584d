import type { JsonObject } from '../../core/json/value.js'
import type { Viewer } from '../timeline/client-view.js'
import type { SyncToken } from '../timeline/tokens.js'
import type { SyncFilter } from './filter.js'
import type { BlockInput } from './room-block.js'

export interface SyncInput {
  readonly since?: string | undefined
  readonly filter: JsonObject
  readonly fullState: boolean
  /** Milliseconds. */
  readonly timeoutMs: number
  readonly stateAfter: BlockInput['stateAfter']
  readonly signal: AbortSignal
  /** Has the signal aborted, where too many of the user's polls wait. */
  readonly giveWay?: () => void
  /** Throws when the session has ended meanwhile; asked before each answer and each wait. */
  readonly stillAllowed?: () => Promise<void>
}

/** One sync's fixed points. */
export interface Frame {
  readonly viewer: Viewer
  readonly since: SyncToken | undefined
  readonly from: number
  readonly upTo: number
  readonly typingFrom: number
  readonly filter: SyncFilter
  readonly input: SyncInput
}
