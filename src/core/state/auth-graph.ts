import { createEventIdOf } from '../ids/room-id.js'
import type { RoomEvent } from '../event/types.js'

/** The events that an event of the auth graph points to. Ids may be event ids or a store's own small integers. */
export type AuthEdges<Id> = (id: Id) => readonly Id[]

/**
 * The auth events of an event, with the create event that the room id of room version 12 names. These are the edges
 * of the auth graph.
 */
export function authEdgesOf(event: RoomEvent): readonly string[] {
  if (event.rules.roomIds !== 'create-hash' || event.type === 'm.room.create') return event.authEvents
  return [...event.authEvents, createEventIdOf(event.roomId)]
}

/**
 * Some events and all that can be reached from them over auth events. `stop` keeps the walk out of parts of the graph:
 * what it holds of is neither entered nor returned.
 */
export function authChain<Id>(
  start: Iterable<Id>,
  edges: AuthEdges<Id>,
  stop: (id: Id) => boolean = () => false,
): Set<Id> {
  const chain = new Set<Id>()
  const stack: Id[] = []
  const visit = (id: Id): void => {
    if (chain.has(id) || stop(id)) return
    chain.add(id)
    stack.push(id)
  }
  for (const id of start) visit(id)
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    for (const next of edges(id)) visit(next)
  }
  return chain
}
