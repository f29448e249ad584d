import { clientEvent, federationFormatEvent } from '../../core/event/client-view.js'
import { stickyDuration } from '../../core/event/sticky.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { createPace } from '../../platform/pace.js'
import type { EventStore } from '../rooms/event-store.js'
import type { StickyEvents } from '../rooms/sticky-events.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Reader } from './visibility.js'

export interface Viewer {
  readonly userId: string
  readonly deviceId: string | undefined
  /** For administrators who look into a room that they need not be in: everything in it. */
  readonly seesAll?: true
}

export interface ViewOptions {
  readonly omitRoomId?: boolean
  /** For `unsigned.membership`. */
  readonly reader?: Reader
  /** For `unsigned.m.relations`, by nid. */
  readonly relations?: ReadonlyMap<number, JsonObject>
  readonly format?: 'client' | 'federation'
}

export interface ClientViews {
  /**
   * Events as one user's client is shown them, `unsigned` included: age, what a state event replaced, the client's own
   * transaction id, the redaction that emptied it, what relates to it, and (given a reader) the user's membership at that time.
   */
  view(events: readonly StoredEvent[], viewer: Viewer, options?: ViewOptions): Promise<JsonObject[]>
}

export function createClientViews(deps: {
  readonly events: EventStore
  readonly clock: Clock
  readonly sticky: Pick<StickyEvents, 'untilOf'>
}): ClientViews {
  return {
    async view(events, viewer, options = {}) {
      const named = events
        .flatMap((item) => [item.replaces, item.redactedBy])
        .filter((nid) => nid !== undefined)
      const others = named.length === 0 ? new Map<number, StoredEvent>() : await deps.events.byNids(named)
      const sticky = events.filter((item) => stickyDuration(item.event) !== undefined)
      const stickyUntil =
        sticky.length === 0
          ? new Map<number, number>()
          : await deps.sticky.untilOf(sticky.map((item) => item.nid))
      const now = deps.clock.now()
      const views: JsonObject[] = []
      const pace = createPace()
      for (const item of events) {
        await pace()
        const unsigned: Record<string, Json> = { age: Math.max(0, now - item.event.originServerTs) }
        const replaced = item.replaces === undefined ? undefined : others.get(item.replaces)
        if (replaced !== undefined) {
          unsigned['replaces_state'] = replaced.event.id
          unsigned['prev_content'] = replaced.event.content
          // NOTSPEC: as all other servers say; clients name by it who had invited somebody.
          unsigned['prev_sender'] = replaced.event.sender
        }
        if (item.txn !== undefined && item.event.sender === viewer.userId) {
          const [deviceId, id, isDelayed] = item.txn
          // NOTSPEC: MSC4140, for all devices of the sender.
          if (isDelayed !== undefined) unsigned['org.matrix.msc4140.delay_id'] = id
          else if (deviceId === viewer.deviceId) unsigned['transaction_id'] = id
        }
        const redaction = item.redactedBy === undefined ? undefined : others.get(item.redactedBy)
        if (redaction !== undefined) {
          unsigned['redacted_because'] = clientEvent(redaction.event)
        }
        const until = stickyUntil.get(item.nid) ?? 0
        // NOTSPEC: MSC4354; the clock of a client may be wrong.
        if (until > now) unsigned['msc4354_sticky_duration_ttl_ms'] = until - now
        const relations = options.relations?.get(item.nid)
        if (relations !== undefined) unsigned['m.relations'] = relations
        if (options.reader !== undefined) unsigned['membership'] = await options.reader.membershipAt(item)
        views.push(
          options.format === 'federation'
            ? federationFormatEvent(item.event, unsigned)
            : clientEvent(item.event, { unsigned, omitRoomId: options.omitRoomId }),
        )
      }
      return views
    },
  }
}
