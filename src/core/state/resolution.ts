import type { RoomEvent } from '../event/types.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import type { VerifySignature } from '../auth/state-lookup.js'
import type { StateKey } from './state-key.js'

/**
 * What there is to resolve. A caller whose states share most of their entries names only those in conflict; the rest
 * is looked up as needed. Everything must be at hand: nothing waits here.
 */
export interface Resolution {
  readonly rules: RoomVersionRules
  /** See `separate`. */
  readonly conflicted: ReadonlyMap<StateKey, Iterable<string>>
  /** What all states agree on. */
  readonly unconflicted: (key: StateKey) => string | undefined
  /**
   * The auth difference, and for v2.1 the conflicted subgraph too; not used by v1. Ids of events that are not known are
   * passed over.
   */
  readonly authDifference: Iterable<string>
  /**
   * The events: conflicted ones, those of the auth difference, all auth events of these, and the unconflicted state
   * that auth rules look at.
   */
  readonly event: (id: string) => RoomEvent | undefined
  /** Whether an event was rejected when it arrived. */
  readonly isRejected: (id: string) => boolean
  readonly verifySignature: VerifySignature
}

/** Keys whose event the resolution has decided; the unconflicted state stands for all others. */
export type Resolved = ReadonlyMap<StateKey, string>
