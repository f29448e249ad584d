import { appendTo } from '../append-to.js'
import { powerLevelsOf } from '../auth/power-levels.js'
import { membershipIn } from '../auth/state-lookup.js'
import { compareByTime } from '../event/order.js'
import type { RoomEvent } from '../event/types.js'
import { authEdgesOf } from './auth-graph.js'
import { createHeap } from './heap.js'

type Events = (id: string) => RoomEvent | undefined

/** An event that may take power from somebody: levels, join rules, kicks and bans. The create event counts as one. */
export function isPowerEvent(event: RoomEvent): boolean {
  switch (event.type) {
    case 'm.room.power_levels':
    case 'm.room.join_rules':
    case 'm.room.create':
      return event.stateKey === ''
    case 'm.room.member': {
      const membership = membershipIn(event)
      return (
        event.stateKey !== undefined &&
        event.sender !== event.stateKey &&
        (membership === 'leave' || membership === 'ban')
      )
    }
    default:
      return false
  }
}

/**
 * The power events of the full conflicted set, and those of the set that they build on, in reverse topological power
 * ordering: each after its auth events; of several that could come next, first the one whose sender has more power,
 * then the older, then by id. Time is n·log n.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v2/#definitions
 */
export function powerSort(conflicted: ReadonlyMap<string, RoomEvent>, events: Events): readonly RoomEvent[] {
  const edges = new Map<string, ReadonlySet<string>>()
  const stack = [...conflicted.values()].filter(isPowerEvent)
  const order: RoomEvent[] = []
  for (let event = stack.pop(); event !== undefined; event = stack.pop()) {
    if (edges.has(event.id)) continue
    // Of the auth events only those in the set count, also on the way to others.
    const inside = authEdgesOf(event).filter((id) => conflicted.has(id))
    edges.set(event.id, new Set(inside))
    order.push(event)
    for (const id of inside) stack.push(conflicted.get(id) as RoomEvent)
  }

  const level = new Map(order.map((event) => [event.id, senderLevel(event, events)]))
  const heap = createHeap<RoomEvent>((a, b) => {
    const x = level.get(a.id) as number
    const y = level.get(b.id) as number
    return x === y ? compareByTime(a, b) : y > x ? 1 : -1
  })
  const waiting = new Map<string, number>()
  const referrers = new Map<string, RoomEvent[]>()
  for (const event of order) {
    const inside = edges.get(event.id) as ReadonlySet<string>
    waiting.set(event.id, inside.size)
    if (inside.size === 0) heap.push(event)
    for (const id of inside) {
      appendTo(referrers, id, event)
    }
  }
  const sorted: RoomEvent[] = []
  for (let event = heap.pop(); event !== undefined; event = heap.pop()) {
    sorted.push(event)
    for (const next of referrers.get(event.id) ?? []) {
      const left = (waiting.get(next.id) as number) - 1
      waiting.set(next.id, left)
      if (left === 0) heap.push(next)
    }
  }
  return sorted
}

/** The level of an event's sender as its own auth events tell it. */
function senderLevel(event: RoomEvent, events: Events): number {
  let create: RoomEvent | undefined
  let levels: RoomEvent | undefined
  for (const id of authEdgesOf(event)) {
    const auth = events(id)
    if (auth?.stateKey !== '') continue
    if (auth.type === 'm.room.create') create = auth
    else if (auth.type === 'm.room.power_levels') levels = auth
  }
  return powerLevelsOf(create, levels).user(event.sender)
}
