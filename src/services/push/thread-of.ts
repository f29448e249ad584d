import { relationOf } from '../../core/event/relation.js'
import type { RoomEvent } from '../../core/event/types.js'

export { relationOf }

/** Relations that are followed until one of them is to a thread. */
const MAX_HOPS = 3

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
