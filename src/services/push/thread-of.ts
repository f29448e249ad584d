import type { RoomEvent } from '../../core/event/types.js'
import { isObject, ownValue } from '../../core/json/value.js'

/** Relations that are followed until one of them is to a thread. */
const MAX_HOPS = 3
const MAX_ID = 255

interface Relation {
  readonly type: string
  readonly eventId: string
}

export function relationOf(event: RoomEvent): Relation | undefined {
  const relation = ownValue(event.content, 'm.relates_to')
  if (!isObject(relation)) return undefined
  const { rel_type: type, event_id: eventId } = relation
  if (typeof type !== 'string' || typeof eventId !== 'string') return undefined
  return eventId.startsWith('$') && eventId.length <= MAX_ID ? { type, eventId } : undefined
}

/**
 * The thread of an event: its root, or the empty string for the main timeline. What relates to an event of a thread is in that thread.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#threaded-read-receipts
 */
export async function threadOf(
  event: RoomEvent,
  find: (eventId: string) => Promise<RoomEvent | undefined>,
): Promise<string> {
  let current: RoomEvent | undefined = event
  for (let hop = 0; hop <= MAX_HOPS && current !== undefined; hop++) {
    const relation = relationOf(current)
    if (relation === undefined) return ''
    if (relation.type === 'm.thread') return relation.eventId
    if (hop === MAX_HOPS) return ''
    const related: RoomEvent | undefined = await find(relation.eventId)
    current = related?.roomId === event.roomId ? related : undefined
  }
  return ''
}
