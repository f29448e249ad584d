import type { JsonObject } from '../../core/json/value.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Viewer } from './client-view.js'
import type { Access } from './room-access.js'

/** Sums up what relates to events; given by `services/relations`. */
export interface Aggregations {
  /**
   * The `m.relations` of some events of one room, by nid, as one user is shown them; events with none are missing. The number of
   * queries does not depend on that of the events.
   */
  of(
    events: readonly StoredEvent[],
    viewer: Viewer,
    access: Pick<Access, 'room' | 'reader' | 'end' | 'ignored'>,
  ): Promise<ReadonlyMap<number, JsonObject>>
}
