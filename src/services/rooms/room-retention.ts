import { ACCESS_RULES } from '../../core/access-rules/room-access.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { JsonObject } from '../../core/json/value.js'
import {
  lifetimeOf,
  RETENTION,
  roomKind,
  type Lifetimes,
  type RetentionPolicy,
} from '../../core/retention.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { EventStore } from './event-store.js'
import { mapKey, type StateStore } from './state-store.js'
import type { StoredEvent } from './stored-event.js'
import type { RoomSnapshot } from './working-room.js'

/** How long what is said in rooms is there. */
export interface RoomRetention {
  readonly policy: RetentionPolicy
  /** Messages from before this moment (milliseconds) are shown to nobody; 0: all are. */
  horizonOf(room: Pick<RoomSnapshot, 'nid' | 'root'>): Promise<number>
  /** Whether something must not be deleted though its time is over: a legal hold on the room or on who said it. */
  isHeld(roomId: string, sender: string): boolean
}

const JOIN_RULES = { type: 'm.room.join_rules', stateKey: '' } as const
export const RETENTION_KEYS = [RETENTION, JOIN_RULES, ACCESS_RULES]
const ROOMS = 10_000

/** The bounds for a room with such a state. */
export function lifetimesIn(
  policy: RetentionPolicy,
  content: (type: string) => JsonObject | undefined,
): Lifetimes {
  return policy.lifetimes[roomKind(content(JOIN_RULES.type), content(ACCESS_RULES.type))]
}

export function createRoomRetention(deps: {
  readonly events: EventStore
  readonly states: StateStore
  readonly clock: Pick<Clock, 'now'>
  readonly policy: RetentionPolicy
  readonly isHeld: RoomRetention['isHeld']
}): RoomRetention {
  const { events, states, clock, policy } = deps
  /** By the root of the state: another state is another entry. */
  const known = createLru<string, { readonly lifetime: number | undefined }>({ max: ROOMS })

  async function lifetime(room: Pick<RoomSnapshot, 'nid' | 'root'>): Promise<number | undefined> {
    const { root, nid } = room
    if (root === undefined) return lifetimeOf(undefined, policy.lifetimes.private)
    const key = `${nid} ${root}`
    const before = known.get(key)
    if (before !== undefined) return before.lifetime
    const nids = await states.read(nid, root, RETENTION_KEYS)
    const found = await events.byNids([...nids.values()])
    const content = (type: string): JsonObject | undefined => {
      const event = nids.get(mapKey({ type, stateKey: '' }))
      return event === undefined ? undefined : found.get(event)?.event.content
    }
    const now = lifetimeOf(content(RETENTION.type), lifetimesIn(policy, content))
    known.set(key, { lifetime: now })
    return now
  }

  return {
    policy,
    async horizonOf(room) {
      const ms = await lifetime(room)
      return ms === undefined ? 0 : Math.max(0, clock.now() - ms)
    },
    isHeld: deps.isHeld,
  }
}

/** Whether an event's time is over. State stays as long as the room: others stand on it. */
export const isExpired = ({ stateKey, originServerTs }: RoomEvent, horizon: number): boolean =>
  stateKey === undefined && originServerTs < horizon

export const isStoredExpired = ({ event }: StoredEvent, horizon: number): boolean => isExpired(event, horizon)
