import { appendTo } from '../../../core/append-to.js'
import { compareDepths } from '../../../core/event/order.js'
import type { RoomEvent } from '../../../core/event/types.js'

/**
 * The events so that each stands after those of its predecessors and auth events that are among them; by depth where
 * that leaves a choice. Events that depend on themselves, over however many steps, are left out. Linear but for a sort.
 */
export function causalOrder(events: Iterable<RoomEvent>): RoomEvent[] {
  const byId = new Map<string, RoomEvent>()
  for (const event of events) byId.set(event.id, event)
  const waiting = new Map<string, number>()
  const dependants = new Map<string, RoomEvent[]>()
  let ready: RoomEvent[] = []
  for (const event of byId.values()) {
    const named = new Set([...event.prevEvents, ...event.authEvents].filter((id) => byId.has(id)))
    if (named.size === 0) ready.push(event)
    else waiting.set(event.id, named.size)
    for (const id of named) {
      appendTo(dependants, id, event)
    }
  }
  const ordered: RoomEvent[] = []
  while (ready.length > 0) {
    const next: RoomEvent[] = []
    for (const event of ready.toSorted(compareDepths)) {
      ordered.push(event)
      for (const dependant of dependants.get(event.id) ?? []) {
        const left = waiting.get(dependant.id)! - 1
        waiting.set(dependant.id, left)
        if (left === 0) next.push(dependant)
      }
    }
    ready = next
  }
  return ordered
}
